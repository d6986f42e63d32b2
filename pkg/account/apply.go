package account

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	securejoin "github.com/cyphar/filepath-securejoin"

	"github.com/testudo-os/testudo/pkg/atomicfile"
	"github.com/testudo-os/testudo/pkg/config"
)

// Apply makes the accounts of cfg below root, "/" in the console; tell is given
// passwords that were made up. It does what it can: the error joins all that
// went wrong.
func Apply(ctx context.Context, root string, cfg *config.Config, tell func(user, password string)) error {
	a := &applier{root: root}
	kept := a.numbers()
	plan := Plan(cfg, Files{Passwd: a.read(Passwd), Group: a.read(Group), Shadow: a.read(Shadow)}, kept, random{})
	a.errs = append(a.errs, plan.Problems...)
	if err := ctx.Err(); err != nil {
		return err
	}
	// Numbers are kept before they are used: a power cut between must not lead
	// to other numbers for files that exist.
	a.keep(kept, plan.Allocated)
	a.write(Group, plan.Group, 0o644)
	a.write(Passwd, plan.Passwd, 0o644)
	a.write(Shadow, plan.Shadow, 0o600)
	a.sudoers(plan.Sudoers)
	a.keys(plan.Keys)
	for _, name := range slices.Sorted(maps.Keys(plan.Random)) {
		tell(name, plan.Random[name])
	}
	for _, h := range plan.Homes {
		if err := ctx.Err(); err != nil {
			return errors.Join(append(a.errs, err)...)
		}
		a.check(a.home(h), "make home %s", h.Path)
	}
	return errors.Join(a.errs...)
}

type applier struct {
	root string
	errs []error
}

func (a *applier) check(err error, format string, args ...any) {
	if err != nil {
		a.errs = append(a.errs, fmt.Errorf(format+": %w", append(args, err)...))
	}
}

// path gives where a path of ours lies; symbolic links stay below the root.
func (a *applier) path(p string) string {
	joined, err := securejoin.SecureJoin(a.root, filepath.Dir(p))
	if err != nil { // a loop of links
		a.check(err, "find %s", p)
		joined = filepath.Join(a.root, filepath.Dir(p))
	}
	return filepath.Join(joined, filepath.Base(p))
}

func (a *applier) read(p string) string {
	text, err := os.ReadFile(a.path(p))
	if !errors.Is(err, fs.ErrNotExist) {
		a.check(err, "read accounts")
	}
	return string(text)
}

// write replaces a table and keeps its owner and mode where it has them.
func (a *applier) write(p, text string, mode os.FileMode) {
	path := a.path(p)
	uid, gid := -1, -1
	if info, err := os.Lstat(path); err == nil && info.Mode().IsRegular() {
		mode = info.Mode().Perm()
		uid, gid = owner(info)
	}
	a.check(atomicfile.WriteOwned(path, []byte(text), mode, uid, gid), "write accounts")
}

func (a *applier) sudoers(text string) {
	path := a.path(Sudoers)
	if text == "" {
		if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
			a.check(err, "remove sudo rules")
		}
		return
	}
	a.check(os.MkdirAll(filepath.Dir(path), 0o755), "write sudo rules")
	a.check(atomicfile.Write(path, []byte(text), 0o440), "write sudo rules")
}

// keys makes the folder hold these keys and no others.
func (a *applier) keys(keys map[string]string) {
	dir := a.path(filepath.Join(KeysDir, "x"))
	dir = filepath.Dir(dir)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		a.check(err, "write keys")
		return
	}
	entries, err := os.ReadDir(dir)
	a.check(err, "write keys")
	for _, e := range entries {
		if _, wanted := keys[e.Name()]; !wanted {
			a.check(os.RemoveAll(filepath.Join(dir, e.Name())), "remove keys")
		}
	}
	for name, text := range keys {
		// sshd reads them as the user.
		a.check(atomicfile.Write(filepath.Join(dir, name), []byte(text), 0o644), "write keys of %s", name)
	}
}

func (a *applier) numbers() Allocated {
	var kept Allocated
	text, err := os.ReadFile(a.path(Numbers))
	if errors.Is(err, fs.ErrNotExist) {
		return kept
	}
	if err == nil {
		err = json.Unmarshal(text, &kept)
	}
	a.check(err, "read the numbers of users %s", Numbers)
	return kept
}

func (a *applier) keep(before, now Allocated) {
	old, err := json.Marshal(before)
	a.check(err, "keep the numbers of users")
	text, err := json.Marshal(now)
	a.check(err, "keep the numbers of users")
	if string(old) == string(text) {
		return
	}
	path := a.path(Numbers)
	a.check(os.MkdirAll(filepath.Dir(path), 0o755), "keep the numbers of users")
	a.check(atomicfile.Write(path, text, 0o600), "keep the numbers of users")
}
