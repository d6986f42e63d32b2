package apply

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	securejoin "github.com/cyphar/filepath-securejoin"

	"github.com/testudo-os/testudo/pkg/atomicfile"
	"github.com/testudo-os/testudo/pkg/config"
	"github.com/testudo-os/testudo/pkg/regularfile"
)

// WriteFiles writes the entries of write_files that are not deferred, in
// order, below root. It is meant for every start: the root is new each time.
func WriteFiles(ctx context.Context, root string, cfg *config.Config) error {
	return writeFiles(ctx, root, cfg, false)
}

// DeferredFiles writes the entries that are to wait for users.
func DeferredFiles(ctx context.Context, root string, cfg *config.Config) error {
	return writeFiles(ctx, root, cfg, true)
}

func writeFiles(ctx context.Context, root string, cfg *config.Config, deferred bool) error {
	var errs []error
	for i, f := range cfg.WriteFiles {
		if f.Defer != deferred || f.Service != "" {
			continue
		}
		if err := ctx.Err(); err != nil {
			return errors.Join(append(errs, err)...)
		}
		if err := writeFile(root, f); err != nil {
			errs = append(errs, fmt.Errorf("write_files[%d]: %w", i, err))
		}
	}
	return errors.Join(errs...)
}

func writeFile(root string, f config.WriteFile) error {
	content, err := f.Decode()
	if err != nil {
		return fmt.Errorf("%s: %w", f.Path, err)
	}
	mode, err := f.Permissions.FileMode()
	if err != nil {
		return fmt.Errorf("%s: %w", f.Path, err)
	}
	uid, gid, err := owner(root, f.Owner)
	if err != nil {
		return fmt.Errorf("%s: %w", f.Path, err)
	}
	path, err := below(root, f.Path)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if f.Append {
		if content, err = appended(path, content); err != nil {
			return err
		}
	}
	return atomicfile.WriteOwned(path, content, mode, uid, gid)
}

// below gives where path lies below root: symbolic links on the way, absolute
// ones too, stay below it, and the last element is not followed.
func below(root, path string) (string, error) {
	clean := filepath.Clean("/" + path)
	if clean == "/" {
		return "", fmt.Errorf("%q is no file", path)
	}
	dir, err := securejoin.SecureJoin(root, filepath.Dir(clean))
	if err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	return filepath.Join(dir, filepath.Base(clean)), nil
}

// maxAppend bounds a file that is added to.
const maxAppend = 64 << 20

// appended gives what is there with content behind it; once it is there, it is
// not added again, since files on the state disk outlive the start.
func appended(path string, content []byte) ([]byte, error) {
	have, err := regularfile.Read(path, maxAppend)
	if errors.Is(err, fs.ErrNotExist) {
		return content, nil
	}
	if err != nil {
		return nil, err
	}
	if bytes.Contains(have, content) {
		return have, nil
	}
	return append(have, content...), nil
}

// owner gives the numbers of user[:group] as root's own tables have them.
func owner(root, s string) (uid, gid int, err error) {
	if s == "" {
		return 0, 0, nil
	}
	user, group, two := strings.Cut(s, ":")
	uid, primary, err := lookup(root, "/etc/passwd", user)
	if err != nil {
		return 0, 0, fmt.Errorf("owner: user %w", err)
	}
	if !two {
		return uid, primary, nil
	}
	if gid, _, err = lookup(root, "/etc/group", group); err != nil {
		return 0, 0, fmt.Errorf("owner: group %w", err)
	}
	return uid, gid, nil
}

// lookup finds a name or a number in /etc/passwd or /etc/group: the third
// field, and the fourth where it is a number. Numbers need not be there.
func lookup(root, table, name string) (id, group int, err error) {
	path, err := below(root, table)
	if err != nil {
		return 0, 0, err
	}
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, 0, err
	}
	number, err := strconv.ParseUint(name, 10, 31)
	numeric := err == nil
	for line := range strings.Lines(string(text)) {
		f := strings.Split(strings.TrimSpace(line), ":")
		if len(f) < 4 || f[0] != name && f[2] != name {
			continue
		}
		id, err := strconv.ParseUint(f[2], 10, 31)
		if err != nil {
			continue
		}
		group, err := strconv.ParseUint(f[3], 10, 31)
		if err != nil {
			group = 0
		}
		return int(id), int(group), nil
	}
	if numeric {
		return int(number), int(number), nil
	}
	return 0, 0, fmt.Errorf("%q is not there", name)
}
