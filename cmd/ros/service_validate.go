package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"

	"github.com/testudo-os/testudo/pkg/layout"
	"github.com/testudo-os/testudo/pkg/service"
)

// serviceValidate checks files as rosd would read them, laid over the services
// of the release where those can be found. It needs no rosd.
func serviceValidate(set *pflag.FlagSet) action {
	base := set.String("base", layout.Services, "folder of the release's services, which files may change and depend on")
	catalog := set.String("catalog", layout.Catalog, "folder of the release's optional services")
	images := set.String("images", layout.Images, "folder of the release's images, to know their names")
	profiles := set.StringSlice("profile", nil, "take this profile as active")
	variables := set.StringArray("var", nil, "NAME=VALUE: a variable for ${NAME}")
	return func(_ context.Context, s *session, args []string) error {
		files, err := userSource(args[0])
		if err != nil {
			return err
		}
		lookup, err := lookupIn(*variables)
		if err != nil {
			return err
		}
		loaded := service.Load(service.Options{Lookup: lookup, Profiles: *profiles},
			service.Source{Label: "built-in", Dir: service.Dir{Path: *base, FS: os.DirFS(*base)}},
			service.Source{Label: "catalog", Dir: service.Dir{Path: *catalog, FS: os.DirFS(*catalog)}, Optional: true},
			files)
		return s.report(args[0], loaded, imageNames(*images))
	}
}

// userSource is one file, or the files of a folder.
func userSource(path string) (service.Source, error) {
	info, err := os.Stat(path)
	if err != nil {
		return service.Source{}, fmt.Errorf("read services: %w", err)
	}
	dir := service.Dir{Path: path, FS: os.DirFS(path)}
	if !info.IsDir() {
		dir = service.Dir{Path: filepath.Dir(path), FS: os.DirFS(filepath.Dir(path)), Only: filepath.Base(path)}
	}
	return service.Source{Label: "user", Dir: dir}, nil
}

func lookupIn(pairs []string) (service.Lookup, error) {
	values := map[string]string{}
	for _, pair := range pairs {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || name == "" {
			return nil, usagef("--var %q: want NAME=VALUE", pair)
		}
		values[name] = value
	}
	return func(name string) (string, bool) { v, ok := values[name]; return v, ok }, nil
}

// imageNames lists the images of the release; none where they cannot be seen.
func imageNames(dir string) (names []string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	for _, e := range entries {
		names = append(names, "testudo/"+e.Name())
	}
	return names
}

func (s *session) report(what string, loaded *service.Set, images []string) error {
	findings := []finding{}
	errs := loaded.Findings(images)
	for _, e := range errs {
		findings = append(findings, finding(e))
	}
	switch {
	case s.json():
		if err := s.printJSON(findings); err != nil {
			return err
		}
	case len(errs) == 0:
		s.printf("%s: valid\n", what)
	default:
		fmt.Fprintln(s.err, errs)
	}
	if len(errs) > 0 {
		return errSilent
	}
	return nil
}
