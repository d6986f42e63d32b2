package service

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/testudo-os/testudo/pkg/strictyaml"
)

// Set is all that is declared on a machine. Each name is in one of Services,
// Disabled and Invalid.
type Set struct {
	Services []Service // good and wanted, by name: what Plan takes
	Disabled []Service // good, and of profiles that are not active
	Invalid  []Invalid // by name; Validate adds to it
	Problems []error   // for `ros status`: everything found, those of Invalid too
}

// Dir is a folder of service files.
type Dir struct {
	Path string // for messages and for ./ in files
	FS   fs.FS
}

// Options change what Load takes.
type Options struct {
	Lookup   Lookup   // variables for ${VAR}; nil: none is set
	Profiles []string // active ones; services without profiles are always wanted
}

// Load reads all service files of dirs, *.yaml and *.yml in the order of their
// names, and validates them as a set. A service declared again replaces the
// earlier one. A bad declaration does not replace a good one: the good one
// stays in force, and Problems says so.
func Load(o Options, dirs ...Dir) *Set {
	set := &Set{}
	good, bad := map[string]Service{}, map[string]Invalid{}
	for _, dir := range dirs {
		files, problems := LoadDir(dir, o.Lookup)
		set.Problems = append(set.Problems, problems...)
		for _, f := range files {
			set.Problems = append(set.Problems, f.Problems...)
			for _, s := range f.Services {
				good[s.Name] = s
				delete(bad, s.Name)
			}
			for _, i := range f.Invalid {
				set.Problems = append(set.Problems, i.Err)
				if s, ok := good[i.Name]; ok {
					set.Problems = append(set.Problems, fmt.Errorf("%s: %s is as %s declares it, because of the errors here", i.Source, i.Name, s.Source))
					continue
				}
				bad[i.Name] = i
			}
		}
	}
	for _, name := range sortedKeys(good) {
		s := good[name]
		if wanted(s, o.Profiles) {
			set.Services = append(set.Services, s)
		} else {
			set.Disabled = append(set.Disabled, s)
		}
	}
	for _, name := range sortedKeys(bad) {
		set.Invalid = append(set.Invalid, bad[name])
	}
	set.Validate()
	return set
}

func wanted(s Service, profiles []string) bool {
	return len(s.Profiles) == 0 || slices.ContainsFunc(s.Profiles, func(p string) bool { return slices.Contains(profiles, p) })
}

// LoadDir reads the service files of one folder. A folder that does not exist
// is empty. A file that cannot be read is a problem and nothing else.
func LoadDir(dir Dir, lookup Lookup) (files []*File, problems []error) {
	entries, err := fs.ReadDir(dir.FS, ".")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, []error{fmt.Errorf("read the services in %s: %w", dir.Path, err)}
	}
	for _, e := range entries {
		name := e.Name()
		if strings.HasPrefix(name, ".") || !strings.HasSuffix(name, ".yaml") && !strings.HasSuffix(name, ".yml") {
			continue
		}
		file := path.Join(dir.Path, name)
		data, err := fs.ReadFile(dir.FS, name)
		if err != nil {
			problems = append(problems, fmt.Errorf("read %s: %w", file, err))
			continue
		}
		f, err := ParseFile(file, data, lookup)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		files = append(files, f)
	}
	return files, problems
}

// Reason is what is wrong in one line, for the service's Status.
func (i Invalid) Reason() string {
	var all strictyaml.Errors
	if errors.As(i.Err, &all) && len(all) > 1 {
		return fmt.Sprintf("%v (and %s)", all[0], plural(len(all)-1, "more error"))
	}
	return strings.ReplaceAll(i.Err.Error(), "\n", "; ")
}
