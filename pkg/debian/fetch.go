package debian

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// ErrGone means that the mirror no longer has a version that the lists name:
// refresh the lists and resolve again. Get does so by itself.
var ErrGone = errors.New("the mirror does not serve this version any more, or cannot be reached")

// Get resolves names, keeps those packages that keep wants (nil: all), and
// fetches them. It refreshes the lists once when the mirror has moved on.
// Paths are in the order of the packages.
func (a *Archive) Get(ctx context.Context, keep func(Package) bool, names ...string) ([]Package, []string, error) {
	for try := 0; ; try++ {
		all, err := a.Resolve(ctx, names...)
		if err != nil {
			return nil, nil, err
		}
		pkgs := all[:0]
		for _, p := range all {
			if keep == nil || keep(p) {
				pkgs = append(pkgs, p)
			}
		}
		paths, err := a.Fetch(ctx, pkgs)
		if err == nil || try > 0 || !errors.Is(err, ErrGone) {
			return pkgs, paths, err
		}
		a.opts.Log("%v", err)
		if err := a.Refresh(ctx); err != nil {
			return nil, nil, err
		}
	}
}

// Path is where a fetched package lies.
func (a *Archive) Path(p Package) string {
	return filepath.Join(a.dir, "pool", p.SHA256[:2], p.SHA256[:16]+"-"+p.file())
}

// Fetch downloads what is not in the pool yet and returns the paths of all, in
// order. A package is put into the pool only after its SHA-256 was checked.
func (a *Archive) Fetch(ctx context.Context, pkgs []Package) ([]string, error) {
	paths := make([]string, len(pkgs))
	var missing []Package
	for i, p := range pkgs {
		paths[i] = a.Path(p)
		if _, err := os.Stat(paths[i]); err != nil {
			missing = append(missing, p)
		}
	}
	if len(missing) == 0 {
		return paths, nil
	}
	unlock, err := a.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	tmp, err := os.MkdirTemp(a.dir, ".download-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(tmp)
	args := []string{"-q", "download"}
	var size int64
	for _, p := range missing {
		args = append(args, p.Name+"="+p.Version)
		size += p.Size
	}
	a.opts.Log("downloading %d packages, %.1f MB", len(missing), float64(size)/1e6)
	_, dlErr := a.run(ctx, tmp, "apt-get", args...)
	for _, p := range missing {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := a.take(tmp, p); errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("download %s %s: %w (%v)", p.Name, p.Version, ErrGone, dlErr)
		} else if err != nil {
			return nil, err
		}
	}
	return paths, nil
}

// take moves one checked download into the pool.
func (a *Archive) take(tmp string, p Package) error {
	from := filepath.Join(tmp, p.file())
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return fmt.Errorf("read %s: %w", from, err)
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != p.SHA256 {
		return fmt.Errorf("package %s %s: SHA-256 is %s, the index says %s", p.Name, p.Version, got, p.SHA256)
	}
	to := a.Path(p)
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.Rename(from, to)
}
