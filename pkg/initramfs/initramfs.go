// Package initramfs lays out the initial ramfs that carries init, the modules
// on the way to the system image, and the system image itself. pkg/layout
// names its paths. For the builder only.
//
// The archive is not compressed: its bulk is compressed already, and the kernel
// would unpack it on one processor.
package initramfs

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"github.com/testudo-os/testudo/pkg/cpio"
	"github.com/testudo-os/testudo/pkg/kernel"
	"github.com/testudo-os/testudo/pkg/layout"
)

// Content is what goes in.
type Content struct {
	Init        string // path on the host of the static program
	Modules     []kernel.BootFile
	SystemImage string // path on the host; empty: it is on the boot partition
	RootHash    string // the line that says what it must be
}

// Write writes the archive.
func Write(w io.Writer, c Content) error {
	a := cpio.NewWriter(w)
	// The kernel opens /dev/console for init before init can mount anything.
	// Where there is none, Go's runtime opens /dev/null instead, or gives up.
	steps := []func() error{
		func() error { return a.Dir("dev", 0o755) },
		func() error { return a.CharDevice("dev/console", 0o600, 5, 1) },
		func() error { return a.CharDevice("dev/null", 0o666, 1, 3) },
		func() error { return addFile(a, "init", 0o755, c.Init) },
		func() error { return addModules(a, c.Modules) },
		func() error { return addSystemImage(a, c) },
		a.Close,
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return fmt.Errorf("write initial ramfs: %w", err)
		}
	}
	return nil
}

func addModules(a *cpio.Writer, files []kernel.BootFile) error {
	dir := inArchive(layout.InitramfsModules)
	if err := a.Dir(dir, 0o755); err != nil {
		return err
	}
	for _, f := range files {
		name := path.Join(dir, f.Name)
		err := error(nil)
		if f.Source != "" {
			err = addFile(a, name, 0o644, f.Source)
		} else {
			err = a.File(name, 0o644, int64(len(f.Data)), bytes.NewReader(f.Data))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func addSystemImage(a *cpio.Writer, c Content) error {
	err := a.File(inArchive(layout.InitramfsRootHash), 0o444, int64(len(c.RootHash)), strings.NewReader(c.RootHash))
	if err != nil || c.SystemImage == "" {
		return err
	}
	return addFile(a, inArchive(layout.InitramfsImage), 0o444, c.SystemImage)
}

func addFile(a *cpio.Writer, name string, perm uint32, source string) error {
	f, err := os.Open(source)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	return a.File(name, perm, info.Size(), f)
}

// inArchive is a path as the archive has it.
func inArchive(p string) string { return strings.TrimPrefix(p, "/") }
