package verityimage

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containerd/go-dmverity/pkg/verity"
)

func TestParseRoot(t *testing.T) {
	hash := strings.Repeat("ab", 32)
	tests := []struct {
		name, text string
		ok         bool
	}{
		{"hash and offset", hash + " 8192\n", true},
		{"no offset", hash, false},
		{"an offset of no sector", hash + " 8191", false},
		{"a negative offset", hash + " -512", false},
		{"a hash that is none", "xyz 8192", false},
		{"a short hash", "abcd 8192", false},
		{"nothing", "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			root, err := ParseRoot(tt.text)
			if (err == nil) != tt.ok {
				t.Fatalf("got %+v, %v", root, err)
			}
			if tt.ok && (hex.EncodeToString(root.Hash) != hash || root.Offset != 8192) {
				t.Fatalf("got %+v", root)
			}
		})
	}
}

// The builder writes the tree with go-dmverity: what it writes must be what is
// read here.
func TestTheTableFitsWhatTheBuilderWrites(t *testing.T) {
	const blocks, block = 300, 4096
	file := filepath.Join(t.TempDir(), "image")
	p := verity.DefaultParams()
	p.HashName, p.HashType, p.DataBlockSize, p.HashBlockSize = "sha256", 1, block, block
	p.DataBlocks, p.HashAreaOffset = blocks, blocks*block
	p.Salt, p.SaltSize = []byte{1, 2, 3}, 3
	p.UUID[0] = 1
	tree, err := verity.GetHashTreeSize(&p)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, make([]byte, blocks*block+block+int(tree)), 0o644); err != nil {
		t.Fatal(err)
	}
	hash, err := verity.Create(&p, file, file)
	if err != nil {
		t.Fatal(err)
	}
	image, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	sb, err := parseSuperblock(image[blocks*block:])
	if err != nil {
		t.Fatal(err)
	}
	target, err := sb.target("/dev/loop0", Root{Hash: hash, Offset: blocks * block}, []string{"check_at_most_once"})
	if err != nil {
		t.Fatal(err)
	}
	want := "1 /dev/loop0 /dev/loop0 4096 4096 300 301 sha256 " + hex.EncodeToString(hash) + " 010203 1 check_at_most_once"
	if target.Params != want || target.Length != blocks*8 {
		t.Fatalf("got %d sectors of %q\nwant %d of %q", target.Length, target.Params, blocks*8, want)
	}
}

func sample() []byte {
	b := make([]byte, superblockSize)
	copy(b, "verity\x00\x00")
	binary.LittleEndian.PutUint32(b[8:], 1)
	binary.LittleEndian.PutUint32(b[12:], 1)
	copy(b[32:], "sha256")
	binary.LittleEndian.PutUint32(b[64:], 4096)
	binary.LittleEndian.PutUint32(b[68:], 4096)
	binary.LittleEndian.PutUint64(b[72:], 10)
	return b
}

func TestParseSuperblockRefuses(t *testing.T) {
	tests := []struct {
		name   string
		change func(b []byte) []byte
	}{
		{"another signature", func(b []byte) []byte { b[0] = 'V'; return b }},
		{"a cut one", func(b []byte) []byte { return b[:511] }},
		{"version 2", func(b []byte) []byte { b[8] = 2; return b }},
		{"hash type 2", func(b []byte) []byte { b[12] = 2; return b }},
		{"a hash with a space in its name", func(b []byte) []byte { b[34] = ' '; return b }},
		{"no hash", func(b []byte) []byte { b[32] = 0; return b }},
		{"blocks of 3 bytes", func(b []byte) []byte { b[64], b[65] = 3, 0; return b }},
		{"no blocks", func(b []byte) []byte { b[72] = 0; return b }},
		{"too much salt", func(b []byte) []byte { b[81] = 2; return b }},
	}
	if _, err := parseSuperblock(sample()); err != nil {
		t.Fatalf("the sample itself: %v", err)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if sb, err := parseSuperblock(tt.change(sample())); err == nil {
				t.Fatalf("taken as %+v", sb)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add(sample(), "ab 512")
	f.Fuzz(func(t *testing.T, b []byte, text string) {
		root, err := ParseRoot(text)
		if err != nil {
			root = Root{Hash: make([]byte, 32), Offset: 512}
		}
		sb, err := parseSuperblock(b)
		if err != nil {
			return
		}
		target, err := sb.target("/dev/loop0", root, nil)
		if err != nil {
			t.Fatalf("an accepted superblock gives no table: %v", err)
		}
		if bytes.ContainsAny([]byte(target.Params), "\x00\n") || len(strings.Fields(target.Params)) != 10 {
			t.Fatalf("table %q", target.Params)
		}
	})
}
