package imagebuild

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/testudo-os/testudo/pkg/debian"
	"github.com/testudo-os/testudo/pkg/erofs"
	"github.com/testudo-os/testudo/pkg/ocibuild"
	"github.com/testudo-os/testudo/pkg/recipe"
)

// Result is a built image. Its manifest, configuration and reference lie in
// CACHE/images/NAME, its layers below CACHE/layers and CACHE/blobs.
type Result struct {
	Name   string  `json:"name"`
	Key    string  `json:"key"`    // of all inputs
	Layers []Layer `json:"layers"` // the base's first
	// Packages that the topmost layer was made of.
	Packages []debian.Package `json:"packages"`
	Image    ocibuild.Image   `json:"-"`
}

// Layer is a layer with its EROFS blob.
type Layer struct {
	ocibuild.Layer
	Recipe string `json:"recipe"` // which recipe made it
	Erofs  int64  `json:"erofs"`  // bytes of the blob
}

// Images builds the named images and their bases (no names: all), and skips
// what is up to date. Recipes that are only a base are not among the results.
func (b *Builder) Images(ctx context.Context, names ...string) ([]Result, error) {
	unlock, err := b.lockCache()
	if err != nil {
		return nil, err
	}
	defer unlock()
	order, err := b.recipes.Order(names...)
	if err != nil {
		return nil, err
	}
	var results []Result
	done := map[string]Result{}
	for _, r := range order {
		if r.Kind == recipe.Tree {
			continue
		}
		res, err := b.image(ctx, r, done[r.Base])
		if err != nil {
			return nil, err
		}
		done[r.Name] = res
		if r.Kind == recipe.Image {
			results = append(results, res)
		}
		b.used = append(b.used, res.Packages...)
	}
	if len(names) == 0 {
		if err := b.prune(); err != nil {
			return nil, fmt.Errorf("tidy the cache: %w", err)
		}
	}
	// Only newer packages make old entries doubtful, and only a build of all
	// images knows what is used. What trees use is noted when they are built.
	return results, b.writeLock(b.cfg.Refresh && len(names) == 0)
}

func (b *Builder) image(ctx context.Context, r *recipe.Recipe, base Result) (Result, error) {
	key, err := b.key(ctx, r)
	if err != nil {
		return Result{}, fmt.Errorf("recipe %s: %w", r.Name, err)
	}
	if res, ok := b.cached(r.Name, key); ok {
		return res, b.finish(r, &res)
	}
	b.cfg.Log("building image %s", r.Name)
	a, err := b.assemble(ctx, r)
	if err != nil {
		return Result{}, err
	}
	up, err := a.full.Above(a.base)
	if err != nil {
		return Result{}, fmt.Errorf("recipe %s: %w", r.Name, err)
	}
	tmp, err := os.MkdirTemp(b.cfg.Cache, ".layer-*")
	if err != nil {
		return Result{}, err
	}
	defer os.RemoveAll(tmp)
	tar := filepath.Join(tmp, "layer.tar")
	l, err := ocibuild.WriteLayer(up, b.cfg.Epoch, b.Blobs(), tar)
	if err != nil {
		return Result{}, fmt.Errorf("image %s: %w", r.Name, err)
	}
	layer := Layer{Layer: l, Recipe: r.Name}
	hot, err := hotFiles(r, up)
	if err != nil {
		return Result{}, fmt.Errorf("recipe %s: %w", r.Name, err)
	}
	if layer.Erofs, err = b.writeErofs(ctx, tar, l.DiffID, hot); err != nil {
		return Result{}, fmt.Errorf("image %s: %w", r.Name, err)
	}
	res := Result{Name: r.Name, Key: key, Packages: a.packages}
	res.Layers = append(append(res.Layers, base.Layers...), layer)
	return res, b.finish(r, &res)
}

// writeErofs makes the layer blob that the machine mounts as it is.
func (b *Builder) writeErofs(ctx context.Context, tar, diffID string, hot []string) (int64, error) {
	out := b.Erofs(diffID)
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return 0, err
	}
	o := erofs.Options{Compression: erofs.Compression{Hot: hot}, Epoch: b.cfg.Epoch}
	sum, err := hex.DecodeString(diffID)
	if err != nil {
		return 0, err
	}
	copy(o.UUID[:], sum)
	if err := erofs.FromTarFile(ctx, b.cfg.Erofs, tar, out, o); err != nil {
		return 0, err
	}
	if err := erofs.Verify(ctx, b.cfg.Erofs, tar, out); err != nil {
		return 0, errors.Join(err, os.Remove(out))
	}
	info, err := os.Stat(out)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// finish makes manifest and configuration and writes all that describes the
// image. It costs nothing and is done for cached images too, because the
// version is in the reference.
func (b *Builder) finish(r *recipe.Recipe, res *Result) (err error) {
	layers := make([]ocibuild.Layer, len(res.Layers))
	for i, l := range res.Layers {
		layers[i] = l.Layer
	}
	c := r.Config
	res.Image, err = ocibuild.NewImage("testudo/"+r.Name+":"+b.cfg.Version, v1.ImageConfig{
		Entrypoint: c.Entrypoint, Cmd: c.Cmd, Env: c.Env, User: c.User,
		WorkingDir: c.WorkDir, StopSignal: c.StopSignal, Labels: c.Labels,
	}, layers, b.cfg.Epoch)
	if err != nil {
		return err
	}
	record, err := json.Marshal(res)
	if err != nil {
		return err
	}
	files := map[string][]byte{b.record(r.Name): record}
	if r.Kind == recipe.Image {
		dir := filepath.Join(b.cfg.Cache, "images", r.Name)
		files[filepath.Join(dir, "config.json")] = res.Image.Config
		files[filepath.Join(dir, "manifest.json")] = res.Image.Manifest
		files[filepath.Join(dir, "ref")] = []byte(res.Image.Ref)
	}
	for name, data := range files {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(name, data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// record is where the result of a recipe is kept for the next run.
func (b *Builder) record(name string) string {
	return filepath.Join(b.cfg.Cache, "records", name+".json")
}

// Blobs is the folder of compressed layers: sha256/DIGEST.
func (b *Builder) Blobs() string { return filepath.Join(b.cfg.Cache, "blobs") }

// Erofs is where the blob of a layer lies. Below CACHE/layers it has the same
// path as on the machine below layout.Layers.
func (b *Builder) Erofs(diffID string) string {
	return filepath.Join(b.cfg.Cache, "layers", "sha256", diffID[:2], diffID+".erofs")
}

// cached finds an image that was built of the same inputs, with all its blobs.
func (b *Builder) cached(name, key string) (Result, bool) {
	var res Result
	data, err := os.ReadFile(b.record(name))
	if err != nil || json.Unmarshal(data, &res) != nil || res.Key != key {
		return Result{}, false
	}
	for _, l := range res.Layers {
		for _, f := range []string{b.Erofs(l.DiffID), filepath.Join(b.Blobs(), "sha256", l.Digest)} {
			if _, err := os.Stat(f); err != nil {
				return Result{}, false
			}
		}
	}
	return res, true
}

// sum is a short digest of parts.
func sum(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d %s\n", len(p), p)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}
