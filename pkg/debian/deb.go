package debian

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
)

// Unpack lays a package's files out below dir, which is made when missing.
// Paths are the package's own: /bin stays /bin where dir has no such link.
func Unpack(ctx context.Context, deb, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	_, err := dpkgDeb(ctx, "--extract", deb, dir)
	return err
}

// Control returns a package's control stanza, as text.
func Control(ctx context.Context, deb string) (string, error) {
	out, err := dpkgDeb(ctx, "--field", deb)
	return string(out), err
}

// Walk calls fn for each file of a package, in the package's order; r gives
// the content of regular files. An error of fn ends the walk.
func Walk(ctx context.Context, deb string, fn func(h *tar.Header, r io.Reader) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd := exec.CommandContext(ctx, "dpkg-deb", "--fsys-tarfile", deb)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("read %s: %w", deb, err)
	}
	err = walkTar(out, fn)
	if err == nil {
		_, err = io.Copy(io.Discard, out) // padding after the end mark
	}
	if err != nil {
		cancel()
		_ = cmd.Wait() // killed by us; the first error tells
		return fmt.Errorf("read %s: %w", deb, err)
	}
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("read %s: %w: %s", deb, err, lastLines(stderr.String(), 3))
	}
	return nil
}

func walkTar(r io.Reader, fn func(h *tar.Header, r io.Reader) error) error {
	tr := tar.NewReader(r)
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := fn(h, tr); err != nil {
			return err
		}
	}
}

func dpkgDeb(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "dpkg-deb", args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("dpkg-deb %s: %w: %s", args[0]+" "+args[1], err, lastLines(stderr.String(), 3))
	}
	return out, nil
}
