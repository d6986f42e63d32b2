package recipe

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"sort"
	"strings"

	"github.com/testudo-os/testudo/pkg/strictyaml"
)

// Set holds recipes by name.
type Set map[string]*Recipe

// LoadAll reads every image.yaml in the folders of root (system-images). All
// mistakes of all files are reported together.
func LoadAll(root string) (Set, error) {
	files, err := filepath.Glob(filepath.Join(root, "*", "image.yaml"))
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("no recipes in %s", root)
	}
	set := Set{}
	var errs []error
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			return nil, err
		}
		r, err := Parse(f, data)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		r.Dir = filepath.Dir(f)
		if want := filepath.Base(r.Dir); r.Name != want {
			errs = append(errs, fmt.Errorf("%s: name is %q, the folder is %q", f, r.Name, want))
		}
		set[r.Name] = r
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return set, set.check()
}

// Parse reads one recipe. file is for messages.
func Parse(file string, data []byte) (*Recipe, error) {
	r := &Recipe{}
	if err := strictyaml.Decode(file, data, r); err != nil {
		return nil, err
	}
	if r.Kind == "" {
		r.Kind = Image
	}
	if errs := r.check(); len(errs) > 0 {
		for i, err := range errs {
			errs[i] = fmt.Errorf("%s: %w", file, err)
		}
		return nil, errors.Join(errs...)
	}
	return r, nil
}

// Order returns the named recipes and their bases, bases first; no names means all.
func (s Set) Order(names ...string) ([]*Recipe, error) {
	if len(names) == 0 {
		for name := range s {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	var order []*Recipe
	done := map[string]bool{}
	for _, name := range names {
		chain, err := s.chain(name)
		if err != nil {
			return nil, err
		}
		for _, r := range chain {
			if !done[r.Name] {
				done[r.Name] = true
				order = append(order, r)
			}
		}
	}
	return order, nil
}

// chain is a recipe with its bases, the lowest first.
func (s Set) chain(name string) ([]*Recipe, error) {
	var chain []*Recipe
	seen := map[string]bool{}
	for name != "" {
		r := s[name]
		switch {
		case r == nil && len(chain) > 0:
			return nil, fmt.Errorf("recipe %s: there is no base %q", chain[0].Name, name)
		case r == nil:
			return nil, fmt.Errorf("there is no recipe %q", name)
		case seen[name]:
			return nil, fmt.Errorf("recipe %s is its own base", name)
		}
		seen[name] = true
		chain = append([]*Recipe{r}, chain...)
		name = r.Base
	}
	return chain, nil
}

func (s Set) check() error {
	_, err := s.Order()
	return err
}

var nameRE = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)

func (r *Recipe) check() []error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	absolute := func(key, p string) {
		if !path.IsAbs(p) || path.Clean(p) != p {
			bad("%s: %q is not a clean absolute path", key, p)
		}
	}
	if !nameRE.MatchString(r.Name) {
		bad("name: %q is not a name (lower case letters, digits, dashes)", r.Name)
	}
	if r.Kind != Image && r.Kind != Layer && r.Kind != Tree {
		bad("kind: %q is none of image, layer, tree", r.Kind)
	}
	named := map[string]bool{}
	for _, p := range r.Packages {
		if named[p] {
			bad("packages: %s is named twice", p)
		}
		named[p] = true
	}
	for p := range r.Only {
		if !named[p] {
			bad("only: %s is not in packages", p)
		}
	}
	for i, p := range r.Programs {
		if p.Package == "" {
			bad("programs[%d]: package is missing", i)
		}
		// A recipe may use another's module, so that both get the same program.
		if p.Module != "" && !filepath.IsLocal(filepath.Join("recipe", p.Module)) {
			bad("programs[%d].module: %q leaves the folder of the recipes", i, p.Module)
		}
		if len(p.Static) > 0 && !p.CGO {
			bad("programs[%d].static: has no meaning without cgo", i)
		}
		absolute(fmt.Sprintf("programs[%d].path", i), p.Path)
	}
	for _, p := range r.SetUID {
		absolute("setuid", p)
	}
	for _, d := range r.Directories {
		absolute("directories", d.Path)
	}
	for p := range r.Symlinks {
		absolute("symlinks", p)
	}
	for p := range r.Modes {
		absolute("modes", p)
	}
	for _, p := range r.Expand {
		absolute("expand", p)
	}
	for _, c := range r.Concatenate {
		absolute("concatenate.path", c.Path)
	}
	if r.Applets != nil {
		absolute("applets.of", r.Applets.Of)
		absolute("applets.dir", r.Applets.Dir)
	}
	for _, u := range r.Users {
		if u.Name == "" || strings.ContainsAny(u.Name+u.Gecos+u.Home+u.Shell, ":\n") {
			bad("users: %q: names, home and shell hold no colon, and a name is needed", u.Name)
		}
	}
	for _, g := range r.Groups {
		if g.Name == "" || strings.ContainsAny(g.Name, ":\n,") {
			bad("groups: %q is not a name", g.Name)
		}
	}
	return errs
}
