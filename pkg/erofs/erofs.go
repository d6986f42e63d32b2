// Package erofs makes EROFS images with mkfs.erofs, so that the same input
// gives the same bytes. It is for the builder only: on the machine the kernel
// mounts them and nothing writes them.
package erofs

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Command makes a command that runs mkfs.erofs of erofs-utils 1.8 or later
// (tools.Tools.Command; older ones cannot read tar archives).
type Command func(ctx context.Context, name string, args ...string) *exec.Cmd

// Options of an image.
type Options struct {
	Compression Compression
	Epoch       time.Time // of all files and of the image
	UUID        [16]byte  // say, the first bytes of the content's digest
}

// FromTar makes an image at out of a tar archive.
func FromTar(ctx context.Context, command Command, tar io.Reader, out string, o Options) error {
	// mkfs.erofs wants to seek in the archive.
	tmp, err := os.CreateTemp(filepath.Dir(out), ".tar-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = io.Copy(tmp, tar)
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", tmp.Name(), err)
	}
	return FromTarFile(ctx, command, tmp.Name(), out, o)
}

// FromTarFile is FromTar for an archive that is a file already.
func FromTarFile(ctx context.Context, command Command, tar, out string, o Options) error {
	return mkfs(ctx, command, []string{"--tar=f"}, tar, out, o)
}

// FromDir makes an image of a directory with its owners and modes.
func FromDir(ctx context.Context, command Command, dir, out string, o Options) error {
	return mkfs(ctx, command, nil, dir, out, o)
}

func mkfs(ctx context.Context, command Command, mode []string, in, out string, o Options) error {
	part, hints := out+".part", out+".hints"
	defer os.Remove(part)
	if err := os.WriteFile(hints, []byte(o.Compression.hints()), 0o644); err != nil {
		return err
	}
	defer os.Remove(hints)
	var output bytes.Buffer
	cmd := command(ctx, "mkfs.erofs", args(mode, in, part, hints, o)...)
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("mkfs.erofs %s: %w: %s", out, err, strings.TrimSpace(output.String()))
	}
	return os.Rename(part, out)
}

func args(mode []string, in, out, hints string, o Options) []string {
	epoch := strconv.FormatInt(o.Epoch.Unix(), 10)
	u := o.UUID
	all := append([]string{"--quiet"}, mode...)
	all = append(all, "-T"+epoch, "--all-time",
		"-U"+fmt.Sprintf("%x-%x-%x-%x-%x", u[0:4], u[4:6], u[6:8], u[8:10], u[10:16]))
	all = append(all, o.Compression.args(hints)...)
	return append(all, out, in)
}
