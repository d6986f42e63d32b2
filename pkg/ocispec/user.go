package ocispec

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	imagespec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/testudo-os/testudo/pkg/service"
)

// defaultCapabilities are Docker's.
var defaultCapabilities = []string{
	"CAP_AUDIT_WRITE", "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID",
	"CAP_KILL", "CAP_MKNOD", "CAP_NET_BIND_SERVICE", "CAP_NET_RAW", "CAP_SETFCAP",
	"CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT",
}

// allCapabilities are those of Linux 6.12 (include/uapi/linux/capability.h).
var allCapabilities = []string{
	"CAP_AUDIT_CONTROL", "CAP_AUDIT_READ", "CAP_AUDIT_WRITE", "CAP_BLOCK_SUSPEND",
	"CAP_BPF", "CAP_CHECKPOINT_RESTORE", "CAP_CHOWN", "CAP_DAC_OVERRIDE",
	"CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_IPC_LOCK", "CAP_IPC_OWNER",
	"CAP_KILL", "CAP_LEASE", "CAP_LINUX_IMMUTABLE", "CAP_MAC_ADMIN", "CAP_MAC_OVERRIDE",
	"CAP_MKNOD", "CAP_NET_ADMIN", "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST",
	"CAP_NET_RAW", "CAP_PERFMON", "CAP_SETFCAP", "CAP_SETGID", "CAP_SETPCAP",
	"CAP_SETUID", "CAP_SYSLOG", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_CHROOT",
	"CAP_SYS_MODULE", "CAP_SYS_NICE", "CAP_SYS_PACCT", "CAP_SYS_PTRACE", "CAP_SYS_RAWIO",
	"CAP_SYS_RESOURCE", "CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_WAKE_ALARM",
}

// capabilities: Docker's default, less cap_drop, plus cap_add, where ALL means
// every one. What cap_add names wins over cap_drop, so "drop ALL, add two" is two.
func capabilities(svc *service.Service, user User) *specs.LinuxCapabilities {
	base := defaultCapabilities
	switch {
	case svc.Privileged || slices.Contains(svc.CapAdd, "ALL"):
		base = allCapabilities
	case slices.Contains(svc.CapDrop, "ALL"):
		base = nil
	}
	set := map[string]bool{}
	for _, c := range base {
		set[c] = svc.Privileged || !slices.Contains(svc.CapDrop, c)
	}
	for _, c := range svc.CapAdd {
		if c != "ALL" {
			set[c] = true
		}
	}
	list := make([]string, 0, len(set))
	for c, wanted := range set {
		if wanted {
			list = append(list, c)
		}
	}
	slices.Sort(list)
	caps := &specs.LinuxCapabilities{Bounding: list, Permitted: list, Effective: list}
	if user.UID != 0 {
		var added []string
		for _, c := range svc.CapAdd {
			if c != "ALL" {
				added = append(added, c)
			}
		}
		slices.Sort(added)
		caps.Inheritable, caps.Ambient = added, added
	}
	return caps
}

// resolveUser reads `user` of the service, else the image's. Numbers are taken
// as they are; a number alone has group 0, as in Docker when the image has no
// such user.
func resolveUser(svc *service.Service, image imagespec.ImageConfig, host Host) (User, error) {
	name := svc.User
	if name == "" {
		name = image.User
	}
	user, ok := numericUser(name)
	if !ok {
		if host.User == nil {
			return User{}, fmt.Errorf("user %q is a name and names cannot be looked up: write numbers", name)
		}
		var err error
		if user, err = host.User(name); err != nil {
			return User{}, fmt.Errorf("user %q: %w", name, err)
		}
	}
	for _, group := range svc.GroupAdd {
		gid, err := strconv.ParseUint(group, 10, 32)
		if err != nil {
			if host.User == nil {
				return User{}, fmt.Errorf("group_add %q is a name and names cannot be looked up: write numbers", group)
			}
			found, err := host.User("0:" + group)
			if err != nil {
				return User{}, fmt.Errorf("group_add %q: %w", group, err)
			}
			gid = uint64(found.GID)
		}
		user.Groups = append(user.Groups, uint32(gid))
	}
	return user, nil
}

func numericUser(name string) (User, bool) {
	if name == "" {
		name = "0:0"
	}
	uidText, gidText, hasGroup := strings.Cut(name, ":")
	uid, err := strconv.ParseUint(uidText, 10, 32)
	if err != nil {
		return User{}, false
	}
	user := User{UID: uint32(uid), Home: "/"}
	if uid == 0 {
		user.Home = "/root"
	}
	if hasGroup {
		gid, err := strconv.ParseUint(gidText, 10, 32)
		if err != nil {
			return User{}, false
		}
		user.GID = uint32(gid)
	}
	return user, true
}
