package imagebuild

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/testudo-os/testudo/pkg/debian"
	"github.com/testudo-os/testudo/pkg/erofs"
	"github.com/testudo-os/testudo/pkg/gobuild"
	"github.com/testudo-os/testudo/pkg/recipe"
)

// Config of a builder.
type Config struct {
	Root    string // of the repository
	Cache   string // everything that can be made again lies below
	Version string // of the release: the images' tag
	BuildID string
	Epoch   time.Time // of every file in every image
	// Erofs runs mkfs.erofs.
	Erofs   erofs.Command
	Refresh bool // look for newer packages than the locked ones
	Log     func(format string, args ...any)
}

// LockFile is where the versions of packages are written, below the root.
const LockFile = "system-images/debian.lock"

// Builder builds the images of one repository. It is not for concurrent use.
type Builder struct {
	cfg     Config
	recipes recipe.Set
	archive *debian.Archive
	lock    *debian.Lock
	gobuild *gobuild.Builder
	trees   map[string]*assembled
	used    []debian.Package
}

// New reads all recipes and prepares the package archive.
func New(ctx context.Context, cfg Config) (*Builder, error) {
	var err error
	for _, p := range []*string{&cfg.Root, &cfg.Cache} {
		if *p, err = filepath.Abs(*p); err != nil {
			return nil, err
		}
	}
	if err := os.MkdirAll(cfg.Cache, 0o755); err != nil {
		return nil, err
	}
	b := &Builder{cfg: cfg, trees: map[string]*assembled{}}
	if b.recipes, err = recipe.LoadAll(filepath.Join(cfg.Root, "system-images")); err != nil {
		return nil, err
	}
	if b.lock, err = debian.ReadLock(filepath.Join(cfg.Root, LockFile)); err != nil {
		return nil, err
	}
	opts := debian.Options{Pins: b.lock, Refresh: cfg.Refresh, Log: cfg.Log}
	if cfg.Refresh {
		opts.Pins = nil
	}
	if b.archive, err = debian.Open(ctx, filepath.Join(cfg.Cache, "debian"), opts); err != nil {
		return nil, fmt.Errorf("open the package archive: %w", err)
	}
	b.gobuild, err = gobuild.New(ctx, cfg.Root, filepath.Join(cfg.Cache, "go"), cfg.Log)
	return b, err
}

// writeLock says where the versions that were used differ from the lock file,
// and locks new packages; only a refresh locks other versions. With prune,
// entries that were not used go.
func (b *Builder) writeLock(prune bool) error {
	note := b.lock.Note
	if b.cfg.Refresh {
		note = func(used []debian.Package) []debian.Change { return b.lock.Update(used, prune) }
	}
	added := 0
	for _, c := range note(b.used) {
		if c.Old == "" {
			added++
			continue
		}
		b.cfg.Log("WARNING: %s", c)
	}
	if added > 0 {
		b.cfg.Log("%d packages were added to %s", added, LockFile)
	}
	return b.lock.Write(filepath.Join(b.cfg.Root, LockFile))
}
