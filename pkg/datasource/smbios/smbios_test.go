package smbios

import (
	"slices"
	"testing"
)

// structure makes one: type, fixed part behind the header, strings.
func structure(kind byte, formed []byte, strings ...string) []byte {
	b := append([]byte{kind, byte(4 + len(formed)), 0, 1}, formed...)
	for _, s := range strings {
		b = append(append(b, s...), 0)
	}
	if len(strings) == 0 {
		b = append(b, 0)
	}
	return append(b, 0)
}

func TestOEMStrings(t *testing.T) {
	bios := structure(0, make([]byte, 20), "SeaBIOS", "1.16")
	oem := structure(typeOEM, []byte{2}, "io.testudo.user-data=x", "other")
	more := structure(typeOEM, []byte{1}, "third")
	end := structure(typeEnd, nil)
	for _, test := range []struct {
		name  string
		table []byte
		want  []string
	}{
		{"two structures", slices.Concat(bios, oem, more, end), []string{"io.testudo.user-data=x", "other", "third"}},
		{"none", slices.Concat(bios, end), nil},
		{"nothing behind the end counts", slices.Concat(end, oem), nil},
		{"fewer strings than it says", slices.Concat(structure(typeOEM, []byte{9}, "only"), end), []string{"only"}},
		{"cut off", slices.Concat(bios, oem, more)[:len(bios)+len(oem)+3], []string{"io.testudo.user-data=x", "other"}},
		{"a length that cannot be", []byte{11, 3, 0, 0, 0, 0}, nil},
		{"empty", nil, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := OEMStrings(test.table); !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func FuzzOEMStrings(f *testing.F) {
	f.Add(slices.Concat(structure(0, make([]byte, 20), "a"), structure(11, []byte{1}, "b"), structure(127, nil)))
	f.Fuzz(func(t *testing.T, table []byte) {
		total := 0
		for _, s := range OEMStrings(table) {
			total += len(s)
		}
		if total > len(table) {
			t.Fatalf("%d bytes of strings out of %d", total, len(table))
		}
	})
}
