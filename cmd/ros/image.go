package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/testudo-os/testudo/pkg/api"
)

func imageList(ctx context.Context, s *session, _ []string) error {
	images, err := s.client().Images(ctx)
	if err != nil {
		return err
	}
	return list(s, images, []string{"IMAGE", "DIGEST", "SIZE", "ADDED", "USED BY"}, func(i api.Image) []string {
		return []string{i.Ref, shortDigest(i.Digest), mebibytes(i.Size), age(s.now().Sub(i.Added)) + " ago", dash(strings.Join(i.Used, ", "))}
	})
}

// shortDigest is enough of a digest to tell images apart.
func shortDigest(d string) string {
	const digits = 12
	if _, hex, ok := strings.Cut(d, ":"); ok && len(hex) > digits {
		return hex[:digits]
	}
	return d
}

func mebibytes(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }

func imageImport(set *pflag.FlagSet) action {
	as := set.String("as", "", "what to call the image; by default as the layout does")
	name := set.String("name", "", "which image of a layout that holds several")
	return func(ctx context.Context, s *session, args []string) error {
		path, err := filepath.Abs(args[0])
		if err != nil {
			return err
		}
		bar := s.progress("")
		image, err := s.client().Import(ctx, api.Import{Path: path, Ref: *as, Name: *name}, bar.show)
		bar.end()
		if err != nil {
			return fmt.Errorf("image import: %w", err)
		}
		return s.image(image)
	}
}

func imageRemove(ctx context.Context, s *session, args []string) error {
	removed := []string{}
	for _, ref := range args {
		if err := s.client().RemoveImage(ctx, ref); err != nil {
			return fmt.Errorf("image rm: %w", err)
		}
		removed = append(removed, ref)
	}
	if s.json() {
		return s.printJSON(removed)
	}
	return nil
}

func servicePull(ctx context.Context, s *session, args []string) error {
	images := []api.Image{}
	for _, name := range args {
		bar := s.progress(name)
		image, err := s.client().Pull(ctx, name, bar.show)
		bar.end()
		if err != nil {
			return fmt.Errorf("pull %s: %w", name, err)
		}
		if !s.json() {
			if err := s.image(image); err != nil {
				return err
			}
		}
		images = append(images, image)
	}
	if s.json() {
		return s.printJSON(images)
	}
	return nil
}

func (s *session) image(i api.Image) error {
	if s.json() {
		return s.printJSON(i)
	}
	s.printf("%s: %s, %s\n", i.Ref, i.Digest, mebibytes(i.Size))
	return nil
}

func serviceUpgrade(set *pflag.FlagSet) action {
	image := set.String("image", "", "the new image; by default the one its file names")
	to := set.String("to", "", "the digest that the image must have")
	window := set.Duration("window", 30*time.Second, "how long the new version has to stay healthy")
	return func(ctx context.Context, s *session, args []string) error {
		bar := s.progress(args[0])
		done, err := s.client().Upgrade(ctx, args[0], api.Upgrade{Image: *image, Digest: *to, Window: *window}, bar.show)
		bar.end()
		if err != nil {
			return fmt.Errorf("upgrade %s: %w", args[0], err)
		}
		return s.upgraded(done)
	}
}

func serviceRollback(ctx context.Context, s *session, args []string) error {
	done, err := s.client().Rollback(ctx, args[0])
	if err != nil {
		return fmt.Errorf("rollback %s: %w", args[0], err)
	}
	return s.upgraded(done)
}

func (s *session) upgraded(u api.Upgraded) error {
	switch {
	case s.json():
		return s.printJSON(u)
	case u.Unchanged:
		s.printf("%s runs %s already\n", u.Service, u.Image)
	default:
		s.printf("%s runs %s\nbefore: %s\n", u.Service, u.Image, u.Previous)
	}
	return nil
}

func serviceKill(set *pflag.FlagSet) action {
	signal := set.StringP("signal", "s", "SIGKILL", "the signal, by name or number")
	return func(ctx context.Context, s *session, args []string) error {
		row, err := s.client().Kill(ctx, args[0], api.Kill{Signal: *signal})
		if err != nil {
			return fmt.Errorf("kill %s: %w", args[0], err)
		}
		if s.json() {
			return s.printJSON(row)
		}
		return nil
	}
}
