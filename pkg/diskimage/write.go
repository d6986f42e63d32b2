package diskimage

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/testudo-os/testudo/pkg/layout"
)

// Command makes a command for one of Debian's programs by name; tools.Tools
// has it. mkfs.vfat, mmd and mcopy are used.
type Command func(ctx context.Context, name string, args ...string) *exec.Cmd

// File is one file of the ESP.
type File struct {
	Path   string // on the ESP: EFI/BOOT/BOOTX64.EFI
	Source string // on the host
}

// Content is what the disk holds. The state partition is nothing but zeros:
// the first boot gives it the room that the disk has, and formats it.
type Content struct {
	Files []File
	Sizes Sizes
	Epoch time.Time // the time of all files
}

// Write makes the disk in file, in place of what was there.
func Write(ctx context.Context, command Command, file string, c Content) error {
	if err := write(ctx, command, file, c); err != nil {
		return fmt.Errorf("make disk image %s: %w", filepath.Base(file), err)
	}
	return nil
}

func write(ctx context.Context, command Command, file string, c Content) (err error) {
	p, err := c.Sizes.parts()
	if err != nil {
		return err
	}
	id, err := c.identity()
	if err != nil {
		return err
	}
	new := file + ".new"
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(new))
		}
	}()
	if err := writeTable(new, p, id); err != nil {
		return err
	}
	run := func(name string, args ...string) error {
		cmd := command(ctx, name, args...)
		cmd.Env = append(cmd.Env, fmt.Sprintf("SOURCE_DATE_EPOCH=%d", c.Epoch.Unix()))
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", name, err, out)
		}
		return nil
	}
	for _, step := range []func() error{
		func() error { return writeESP(run, new, p.esp, id, c.sorted()) },
		func() error { return os.Rename(new, file) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// sorted gives the files in an order that is always the same.
func (c Content) sorted() []File {
	return slices.SortedFunc(slices.Values(c.Files), func(a, b File) int { return strings.Compare(a.Path, b.Path) })
}

// ID is the same for content that makes the same disk.
func (c Content) ID() (string, error) {
	id, err := c.identity()
	return hex.EncodeToString(id[:]), err
}

// identity is a digest of all that makes this disk another one than others.
func (c Content) identity() (identity, error) {
	h := sha256.New()
	fmt.Fprintf(h, "2 %d %d %d\n", c.Sizes.ESP, c.Sizes.State, c.Epoch.Unix())
	for _, f := range c.sorted() {
		fmt.Fprintf(h, "%q\n", f.Path)
		r, err := os.Open(f.Source)
		if err != nil {
			return identity{}, err
		}
		_, err = io.Copy(h, r)
		if err = errors.Join(err, r.Close()); err != nil {
			return identity{}, err
		}
	}
	return identity(h.Sum(nil)), nil
}

func writeTable(file string, p parts, id identity) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Truncate(p.total); err != nil {
		return err
	}
	if err := p.table(id).Write(f, p.total); err != nil {
		return fmt.Errorf("partition table: %w", err)
	}
	return f.Close()
}

type runner func(name string, args ...string) error

func writeESP(run runner, disk string, e extent, id identity, files []File) error {
	err := run("mkfs.vfat", "-F", "32", "-n", layout.ESPLabel, "-i", fmt.Sprintf("%08x", id.volume()), "--invariant",
		"--offset", strconv.FormatInt(e.start/sector, 10), disk, strconv.FormatInt(e.size/1024, 10))
	if err != nil {
		return err
	}
	volume := fmt.Sprintf("%s@@%d", disk, e.start)
	for _, dir := range folders(files) {
		if err := run("mmd", "-i", volume, "::/"+dir); err != nil {
			return err
		}
	}
	for _, f := range files {
		if err := run("mcopy", "-i", volume, f.Source, "::/"+f.Path); err != nil {
			return err
		}
	}
	return nil
}

// folders lists the folders that files are in, each after the one it is in.
func folders(files []File) []string {
	var out []string
	for _, f := range files {
		for dir := path.Dir(f.Path); dir != "."; dir = path.Dir(dir) {
			if !slices.Contains(out, dir) {
				out = append(out, dir)
			}
		}
	}
	slices.Sort(out)
	return out
}
