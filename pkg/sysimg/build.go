package sysimg

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/testudo-os/testudo/pkg/erofs"
)

// Options of the file.
type Options struct {
	Epoch time.Time
	Hot   []string // files that every boot reads: see erofs.Compression
}

// File is a finished system image.
type File struct {
	Path       string
	RootHash   string // hex
	HashOffset int64  // where the hash tree's superblock is: the size of the EROFS
}

// RootHashFile is the content of the file that tells init what to trust.
func (f *File) RootHashFile() string { return fmt.Sprintf("%s %d\n", f.RootHash, f.HashOffset) }

// Build makes the system image in cacheDir, or finds it there when it was made
// of the same content before.
func Build(ctx context.Context, command erofs.Command, c Content, o Options, cacheDir string) (*File, error) {
	f, err := build(ctx, command, c, o, cacheDir)
	if err != nil {
		return nil, fmt.Errorf("make system image: %w", err)
	}
	return f, nil
}

func build(ctx context.Context, command erofs.Command, c Content, o Options, cacheDir string) (*File, error) {
	tree, err := c.tree()
	if err != nil {
		return nil, err
	}
	compression := erofs.Compression{Hot: o.Hot, Stored: c.layers()}
	h := sha256.New()
	fmt.Fprintf(h, "3 %s\n", compression)
	if err := tree.WriteTar(h, o.Epoch); err != nil {
		return nil, err
	}
	digest := [sha256.Size]byte(h.Sum(nil))
	if err := os.MkdirAll(cacheDir, 0o755); err != nil {
		return nil, err
	}
	path := filepath.Join(cacheDir, hex.EncodeToString(digest[:12])+".img")
	if f, err := open(path); !errors.Is(err, os.ErrNotExist) {
		return f, err
	}
	tar, err := os.CreateTemp(cacheDir, "tree-*.tar")
	if err != nil {
		return nil, err
	}
	defer os.Remove(tar.Name())
	if err := errors.Join(tree.WriteTar(tar, o.Epoch), tar.Close()); err != nil {
		return nil, err
	}
	options := erofs.Options{Epoch: o.Epoch, Compression: compression, UUID: [16]byte(digest[:16])}
	new := path + ".new"
	defer os.Remove(new)
	if err := erofs.FromTarFile(ctx, command, tar.Name(), new, options); err != nil {
		return nil, err
	}
	if err := erofs.Verify(ctx, command, tar.Name(), new); err != nil {
		return nil, err
	}
	f := &File{Path: path}
	if f.RootHash, f.HashOffset, err = appendVerity(new, digest); err != nil {
		return nil, err
	}
	// The record first: an image without one is never found.
	if err := os.WriteFile(path+".roothash", []byte(f.RootHashFile()), 0o644); err != nil {
		return nil, err
	}
	return f, os.Rename(new, path)
}

// open reads what is known about an image that was made before.
func open(path string) (*File, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	f := &File{Path: path}
	r, err := os.Open(path + ".roothash")
	if err != nil {
		return nil, err
	}
	defer r.Close()
	text, err := io.ReadAll(io.LimitReader(r, 4096))
	if err != nil {
		return nil, err
	}
	if _, err := fmt.Fscanf(strings.NewReader(string(text)), "%s %d\n", &f.RootHash, &f.HashOffset); err != nil {
		return nil, fmt.Errorf("read %s.roothash: %w", path, err)
	}
	return f, nil
}
