package confstore

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/testudo-os/testudo/pkg/atomicfile"
	"github.com/testudo-os/testudo/pkg/regularfile"
)

// Names below the directory.
const (
	MachineFile = "cloud-config.yaml"
	DropIns     = "conf.d"
)

// maxFile bounds one file.
const maxFile = 4 << 20

// Files are the machine's files: their text by name below the directory.
type Files map[string]string

// IsFile says whether a name is one of the machine's files.
func IsFile(name string) bool {
	dir, base := filepath.Split(name)
	switch dir {
	case "":
		return base == MachineFile
	case DropIns + "/":
		return strings.HasSuffix(base, ".yaml") && !strings.HasPrefix(base, ".")
	}
	return false
}

// readFiles reads what is there. What is no regular file is left out: it is
// nobody's text, and those who read configuration complain of it.
func readFiles(dir string) (Files, error) {
	names := []string{MachineFile}
	entries, err := os.ReadDir(filepath.Join(dir, DropIns))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	for _, e := range entries {
		if name := filepath.Join(DropIns, e.Name()); IsFile(name) && e.Type().IsRegular() {
			names = append(names, name)
		}
	}
	files := Files{}
	for _, name := range names {
		text, err := regularfile.Read(filepath.Join(dir, name), maxFile)
		switch {
		case err == nil:
			files[name] = string(text)
		case errors.Is(err, fs.ErrNotExist):
		default:
			if info, stat := os.Lstat(filepath.Join(dir, name)); stat != nil || info.Mode().IsRegular() {
				return nil, fmt.Errorf("read configuration: %w", err)
			}
		}
	}
	return files, nil
}

// writeFiles makes the directory hold exactly these. Those that are as they
// should be are not touched.
func writeFiles(dir string, want Files) error {
	have, err := readFiles(dir)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		path := filepath.Join(dir, name)
		if text, there := have[name]; there && text == want[name] {
			continue
		}
		mode := os.FileMode(0o600) // passwords may stand in it
		if info, err := os.Stat(path); err == nil {
			mode = info.Mode().Perm()
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("write configuration: %w", err)
		}
		if err := atomicfile.Write(path, []byte(want[name]), mode); err != nil {
			return fmt.Errorf("write configuration: %w", err)
		}
	}
	for name := range have {
		if _, wanted := want[name]; !wanted {
			if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("write configuration: %w", err)
			}
		}
	}
	return nil
}
