package imagebuild

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/testudo-os/testudo/pkg/recipe"
)

// lockCache waits until no other process builds images in this cache.
func (b *Builder) lockCache() (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(b.cfg.Cache, ".images.lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", f.Name(), err)
	}
	return func() { f.Close() }, nil
}

// prune removes from the cache what no recipe's last build uses: descriptions
// of images that are gone, and blobs of layers that were replaced. The cache
// must be locked.
func (b *Builder) prune() error {
	used := map[string]bool{}
	for name := range b.recipes {
		var res Result
		data, err := os.ReadFile(b.record(name))
		if errors.Is(err, os.ErrNotExist) {
			continue // a tree
		}
		if err != nil {
			return err
		}
		if err := json.Unmarshal(data, &res); err != nil {
			return fmt.Errorf("%s: %w", b.record(name), err)
		}
		for _, l := range res.Layers {
			used[l.Digest], used[l.DiffID+".erofs"] = true, true
		}
	}
	for glob, keep := range map[string]func(base string) bool{
		"images/*":          func(n string) bool { r := b.recipes[n]; return r != nil && r.Kind == recipe.Image },
		"records/*":         func(n string) bool { return b.recipes[strings.TrimSuffix(n, ".json")] != nil },
		"blobs/sha256/*":    func(n string) bool { return used[n] },
		"layers/sha256/*/*": func(n string) bool { return used[n] },
		".layer-*":          func(string) bool { return false }, // of a build that was cut off
	} {
		found, err := filepath.Glob(filepath.Join(b.cfg.Cache, glob))
		if err != nil {
			return err
		}
		for _, p := range found {
			if !keep(filepath.Base(p)) {
				if err := os.RemoveAll(p); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
