package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/testudo-os/testudo/pkg/atomicfile"
	"github.com/testudo-os/testudo/pkg/config"
	"github.com/testudo-os/testudo/pkg/service"
)

// filesLabel is on a service with files of write_files: other contents make
// another service, which restarts.
const filesLabel = "testudo.files"

// giveFiles writes the files of write_files that name a service below dir and
// binds them into it, read-only. What is wrong is among the set's problems.
func giveFiles(set *service.Set, files []config.WriteFile, dir string) {
	digests := map[string]string{}
	for i, f := range files {
		if f.Service == "" {
			continue
		}
		digest, err := giveFile(set, f, dir)
		if err != nil {
			set.Problems = append(set.Problems, fmt.Errorf("write_files[%d]: %w", i, err))
			continue
		}
		digests[f.Service] += digest
	}
	for i := range set.Services {
		s := &set.Services[i]
		if digests[s.Name] == "" {
			continue
		}
		sum := sha256.Sum256([]byte(digests[s.Name]))
		labels := map[string]string{filesLabel: hex.EncodeToString(sum[:])}
		for k, v := range s.Labels {
			labels[k] = v
		}
		s.Labels = labels
	}
}

func giveFile(set *service.Set, f config.WriteFile, dir string) (digest string, err error) {
	at := slices.IndexFunc(set.Services, func(s service.Service) bool { return s.Name == f.Service })
	if at < 0 {
		return "", fmt.Errorf("there is no service %s of the system", f.Service)
	}
	content, err := f.Decode()
	if err != nil {
		return "", err
	}
	mode, err := f.Permissions.FileMode()
	if err != nil {
		return "", err
	}
	uid, gid, err := numbers(f.Owner)
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, f.Service, filepath.Clean("/"+f.Path))
	// Others must not look into the folder, services see the files alone.
	if err := os.MkdirAll(filepath.Join(dir, f.Service), 0o700); err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", err
	}
	if have, err := os.ReadFile(path); err != nil || string(have) != string(content) {
		if err := atomicfile.WriteOwned(path, content, mode, uid, gid); err != nil {
			return "", err
		}
	} else if err := errors.Join(os.Chown(path, uid, gid), os.Chmod(path, mode)); err != nil {
		return "", err
	}
	s := &set.Services[at]
	s.Volumes = slices.DeleteFunc(slices.Clone(s.Volumes), func(v service.Volume) bool { return v.Target == f.Path })
	s.Volumes = append(s.Volumes, service.Volume{Source: path, Target: f.Path, ReadOnly: true})
	sum := sha256.Sum256(fmt.Appendf(content, "\x00%s %v %d %d", f.Path, mode, uid, gid))
	return hex.EncodeToString(sum[:]), nil
}

// numbers reads an owner. The names of a service's image are not known here.
func numbers(owner string) (uid, gid int, err error) {
	if owner == "" {
		return 0, 0, nil
	}
	user, group, two := strings.Cut(owner, ":")
	number := func(s string) (int, error) {
		if s == "root" {
			return 0, nil
		}
		n, err := strconv.ParseUint(s, 10, 31)
		if err != nil {
			return 0, fmt.Errorf("owner %s: in a service want numbers, or root", owner)
		}
		return int(n), nil
	}
	if uid, err = number(user); err != nil || !two {
		return uid, uid, err
	}
	gid, err = number(group)
	return uid, gid, err
}
