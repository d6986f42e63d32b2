package tools

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// unpacked is a folder of tools with one program that is not real.
func unpacked(t *testing.T, program string) *Tools {
	t.Helper()
	root := t.TempDir()
	if err := mergedUsr(root); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "usr/bin", program), nil, 0o755); err != nil {
		t.Fatal(err)
	}
	return &Tools{root: root}
}

func TestAMissingProgramFailsAsExecDoes(t *testing.T) {
	err := unpacked(t, "mkfs.erofs").Command(t.Context(), "frobnicate").Run()
	if !errors.Is(err, exec.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

func TestAProgramRunsThroughTheLoaderUnderItsOwnName(t *testing.T) {
	tools := unpacked(t, "mkfs.erofs")
	cmd := tools.Command(t.Context(), "mkfs.erofs", "-x", "out")
	want := []string{
		tools.Path("usr/lib64/ld-linux-x86-64.so.2"), "--library-path", tools.Path("usr/lib/x86_64-linux-gnu"),
		"--argv0", "mkfs.erofs", tools.Path("usr/bin/mkfs.erofs"), "-x", "out",
	}
	if !slices.Equal(cmd.Args, want) {
		t.Errorf("got  %q\nwant %q", cmd.Args, want)
	}
}

func TestQEMUIsToldWhereItsFirmwareIs(t *testing.T) {
	tools := unpacked(t, "qemu-system-x86_64")
	args := tools.Command(t.Context(), "qemu-system-x86_64", "-m", "1").Args
	if i := slices.Index(args, tools.Path("usr/share/seabios")); i < 1 || args[i-1] != "-L" {
		t.Errorf("got %q", args)
	}
}
