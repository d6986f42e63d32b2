package filetree

import (
	"bytes"
	"testing"
	"time"
)

func TestReadTarGivesBackWhatWriteTarWrote(t *testing.T) {
	tree := New()
	for p, n := range map[string]*Node{
		"/etc":          NewDir(0o755),
		"/etc/hostname": NewFile([]byte("testudo\n"), 0o644),
		"/usr/bin/su":   {Type: File, Mode: 0o4755, UID: 0, GID: 5},
		"/bin":          NewLink("usr/bin"),
	} {
		if err := tree.Add(p, n); err != nil {
			t.Fatal(err)
		}
	}
	write := func(t *testing.T, tree *Tree) []byte {
		t.Helper()
		var buf bytes.Buffer
		if err := tree.WriteTar(&buf, time.Unix(1e9, 0)); err != nil {
			t.Fatal(err)
		}
		return buf.Bytes()
	}
	first := write(t, tree)
	again, err := ReadTar(bytes.NewReader(first))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first, write(t, again)) {
		t.Error("the tree that was read writes another archive")
	}
}
