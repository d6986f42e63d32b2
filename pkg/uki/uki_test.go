package uki

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"testing"
)

// stub is the smallest PE32+ file that has a section and room for others.
func stub() []byte {
	const coff, optionalSize, headers, fileAlign = 0x40, 240, 0x400, 0x200
	le := binary.LittleEndian
	b := make([]byte, headers+fileAlign)
	copy(b, "MZ")
	le.PutUint32(b[offsetOfPE:], coff)
	copy(b[coff:], "PE\x00\x00")
	le.PutUint16(b[coff+4:], 0x8664)
	le.PutUint16(b[coff+6:], 1)
	le.PutUint16(b[coff+20:], optionalSize)
	optional := b[coff+coffSize:]
	le.PutUint16(optional, 0x20b)
	le.PutUint32(optional[32:], 0x1000)
	le.PutUint32(optional[36:], fileAlign)
	le.PutUint32(optional[60:], headers)
	le.PutUint32(optional[108:], 16)
	row := optional[optionalSize:]
	copy(row, ".text")
	le.PutUint32(row[8:], 100)
	le.PutUint32(row[12:], 0x1000)
	le.PutUint32(row[16:], fileAlign)
	le.PutUint32(row[20:], headers)
	return b
}

func sections() []Section {
	return []Section{{".osrel", []byte("ID=testudo\n")}, {".linux", bytes.Repeat([]byte("kernel"), 1000)}, {".initrd", []byte{1}}}
}

func TestWhatIsPutInIsReadBack(t *testing.T) {
	image, err := Build(stub(), sections())
	if err != nil {
		t.Fatal(err)
	}
	got, err := Read(image)
	if err != nil {
		t.Fatal(err)
	}
	want := sections()
	if len(got) != len(want) {
		t.Fatalf("%d sections, not %d", len(got), len(want))
	}
	for i := range want {
		if got[i].Name != want[i].Name || !bytes.Equal(got[i].Data, want[i].Data) {
			t.Errorf("section %d is %s with %d bytes", i, got[i].Name, len(got[i].Data))
		}
	}
	again, err := Build(stub(), sections())
	if err != nil || !bytes.Equal(image, again) {
		t.Errorf("a second build differs (%v)", err)
	}
}

func TestWhatCannotBeBuiltIsRefused(t *testing.T) {
	signed := stub()
	signed[0x40+coffSize+112+certificateRow*8+4] = 1
	many := make([]Section, 40)
	for i := range many {
		many[i] = Section{".x", []byte{1}}
	}
	for name, c := range map[string]struct {
		stub     []byte
		sections []Section
		want     string
	}{
		"no PE":     {[]byte("hello"), nil, "not a PE file"},
		"cut":       {stub()[:0x80], nil, "not a PE file"},
		"signed":    {signed, sections(), "is signed"},
		"too many":  {stub(), many, "no room"},
		"long name": {stub(), []Section{{".kernelimage", []byte{1}}}, "1 to 8"},
		"empty":     {stub(), []Section{{".linux", nil}}, "empty"},
	} {
		if _, err := Build(c.stub, c.sections); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	noKernel, err := Build(stub(), sections()[:1])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Read(noKernel); err == nil || !strings.Contains(err.Error(), "no kernel") {
		t.Errorf("an image without a kernel: %v", err)
	}
}

// The value is worked out by hand: sha256sum of what is extended, step by step.
func TestTheMeasurementIsThatOfTheStub(t *testing.T) {
	got := PCR11([]Section{{".cmdline", []byte("quiet")}, {".linux", []byte("k")}, {".other", []byte("x")}})
	const want = "9b4c9ece513628345cffdad1f54659ac815aa6e2def3abba7a77be93da2f6db2"
	if hex.EncodeToString(got[:]) != want {
		t.Errorf("got %x", got)
	}
}

func FuzzRead(f *testing.F) {
	image, err := Build(stub(), sections())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(image)
	f.Add(stub())
	f.Add([]byte("MZ"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if out, err := Read(b); err == nil && len(out) == 0 {
			t.Error("no error and nothing read")
		}
		if image, err := Build(b, sections()); err == nil {
			// What the stub had stays where it was.
			if len(image) < len(b) {
				t.Error("it became shorter")
			}
		}
	})
}
