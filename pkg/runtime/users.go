package runtime

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"github.com/containerd/containerd/v2/core/mount"
	"github.com/containerd/errdefs"

	"github.com/testudo-os/testudo/pkg/ocispec"
)

// user looks "user[:group]" up in the image's /etc/passwd and /etc/group. The
// image is mounted for it, once for each image and name; numbers are not asked
// here at all.
func (r *Runtime) user(ctx context.Context, image *Image, name string) (ocispec.User, error) {
	key := image.Digest + " " + name
	r.mu.Lock()
	known, ok := r.users[key]
	r.mu.Unlock()
	if ok {
		return known, nil
	}
	var user ocispec.User
	err := r.withImage(ctx, image, func(root string) (err error) {
		user, err = lookUp(root, name)
		return err
	})
	if err != nil {
		return ocispec.User{}, err
	}
	r.mu.Lock()
	r.users[key] = user
	r.mu.Unlock()
	return user, nil
}

// withImage calls fn with the folder where the image is mounted, read-only.
func (r *Runtime) withImage(ctx context.Context, image *Image, fn func(root string) error) (err error) {
	var fnErr error // apart, for containerd's words about mounts around it help nobody
	inner := func(root string) error {
		fnErr = fn(root)
		return nil
	}
	defer func() {
		if fnErr != nil {
			err = fnErr
		}
	}()
	snapshotter := r.client.SnapshotService(r.opt.Snapshotter)
	key := "lookup-" + image.Digest
	mounts, err := snapshotter.View(ctx, key, image.chain)
	if errdefs.IsAlreadyExists(err) { // left by one that was killed
		mounts, err = snapshotter.Mounts(ctx, key)
	}
	if err != nil {
		return fmt.Errorf("look into the image: %w", native(err))
	}
	defer func() {
		if removeErr := snapshotter.Remove(context.WithoutCancel(ctx), key); removeErr != nil && !errdefs.IsNotFound(removeErr) {
			err = errors.Join(err, fmt.Errorf("after looking into the image: %w", native(removeErr)))
		}
	}()
	// EROFS mounts are containerd's business: it makes them ready and tells
	// which remain for us.
	manager := r.client.MountManager()
	active, err := manager.Activate(ctx, key, mounts, mount.WithTemporary)
	switch {
	case errdefs.IsNotImplemented(err):
		return mount.WithReadonlyTempMount(ctx, mounts, inner)
	case err != nil:
		return fmt.Errorf("look into the image: %w", native(err))
	}
	defer func() {
		if offErr := manager.Deactivate(context.WithoutCancel(ctx), key); offErr != nil {
			err = errors.Join(err, fmt.Errorf("after looking into the image: %w", native(offErr)))
		}
	}()
	return mount.WithReadonlyTempMount(ctx, active.System, inner)
}

// lookUp resolves "user[:group]" below root. The files are opened within it:
// a link in the image must not lead to the machine's own.
func lookUp(dir, name string) (user ocispec.User, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return user, err
	}
	defer root.Close()
	userName, groupName, hasGroup := strings.Cut(name, ":")
	user.Home = "/"

	found := false
	err = readColons(root, "etc/passwd", 7, func(f []string) {
		if !found && (f[0] == userName || f[2] == userName) {
			uid, uidErr := strconv.ParseUint(f[2], 10, 32)
			gid, gidErr := strconv.ParseUint(f[3], 10, 32)
			if uidErr == nil && gidErr == nil {
				user.UID, user.GID, user.Home, found = uint32(uid), uint32(gid), f[5], true
				userName = f[0]
			}
		}
	})
	if err != nil {
		return user, err
	}
	if !found {
		uid, err := strconv.ParseUint(userName, 10, 32)
		if err != nil {
			return user, fmt.Errorf("%w: no user %s in the image's /etc/passwd", ErrPermanent, userName)
		}
		user.UID = uint32(uid)
	}

	groupFound := !hasGroup
	err = readColons(root, "etc/group", 4, func(f []string) {
		gid, err := strconv.ParseUint(f[2], 10, 32)
		switch {
		case err != nil:
		case hasGroup && !groupFound && (f[0] == groupName || f[2] == groupName):
			user.GID, groupFound = uint32(gid), true
		case !hasGroup && memberOf(f[3], userName):
			user.Groups = append(user.Groups, uint32(gid))
		}
	})
	if err != nil {
		return user, err
	}
	if !groupFound {
		gid, err := strconv.ParseUint(groupName, 10, 32)
		if err != nil {
			return user, fmt.Errorf("%w: no group %s in the image's /etc/group", ErrPermanent, groupName)
		}
		user.GID = uint32(gid)
	}
	return user, nil
}

func memberOf(members, user string) bool {
	for member := range strings.SplitSeq(members, ",") {
		if member == user {
			return true
		}
	}
	return false
}

// readColons reads lines of n fields; a missing file has none.
func readColons(root *os.Root, name string, n int, line func([]string)) error {
	file, err := root.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return fmt.Errorf("look into the image: %w", err)
	}
	defer file.Close()
	scanner := bufio.NewScanner(file)
	for scanner.Scan() {
		if fields := strings.Split(scanner.Text(), ":"); len(fields) >= n {
			line(fields)
		}
	}
	if err := scanner.Err(); err != nil {
		return fmt.Errorf("look into the image: %s: %w", name, err)
	}
	return nil
}
