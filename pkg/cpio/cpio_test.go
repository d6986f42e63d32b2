package cpio

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func sample(t *testing.T) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := NewWriter(&buf)
	for _, err := range []error{
		w.Dir("dev", 0o755),
		w.CharDevice("dev/console", 0o600, 5, 1),
		w.File("init", 0o755, 5, strings.NewReader("hello")),
		w.Symlink("link", "init"),
		w.File("empty", 0o644, 0, strings.NewReader("")),
		w.Close(),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return buf.Bytes()
}

func TestSameInputGivesTheSameBytes(t *testing.T) {
	if a, b := sample(t), sample(t); !bytes.Equal(a, b) {
		t.Error("two archives of the same files differ")
	}
}

func TestHeaderIsWhatTheKernelDocuments(t *testing.T) {
	got := string(sample(t)[:112+4])
	want := "070701" + "00000001" + "000041ED" + "00000000" + "00000000" + "00000002" + "00000000" + "00000000" +
		"00000000" + "00000000" + "00000000" + "00000000" + "00000004" + "00000000" + "dev\x00" + "\x00\x00"
	if !strings.HasPrefix(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestTheCpioProgramReadsIt(t *testing.T) {
	program, err := exec.LookPath("cpio")
	if err != nil {
		t.Skip("no cpio program here")
	}
	dir := t.TempDir()
	cmd := exec.Command(program, "-idm", "--quiet", "--no-absolute-filenames", "init", "link", "empty")
	cmd.Dir, cmd.Stdin = dir, bytes.NewReader(sample(t))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	b, err := os.ReadFile(filepath.Join(dir, "link"))
	if err != nil || string(b) != "hello" {
		t.Errorf("link reads %q, %v", b, err)
	}
}

func TestContentShorterThanSaidIsRefused(t *testing.T) {
	err := NewWriter(io.Discard).File("f", 0o644, 6, strings.NewReader("hello"))
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %v", err)
	}
}

func TestBadNamesAreRefused(t *testing.T) {
	for _, name := range []string{"", "/abs", "TRAILER!!!", "nul\x00"} {
		if err := NewWriter(io.Discard).Dir(name, 0o755); err == nil {
			t.Errorf("%q was taken", name)
		}
	}
	w := NewWriter(io.Discard)
	if err := errors.Join(w.Dir("twice", 0o755), w.Dir("once", 0o755)); err != nil {
		t.Fatal(err)
	}
	if err := w.Dir("twice", 0o755); err == nil {
		t.Error("a name was taken twice")
	}
}
