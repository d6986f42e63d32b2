package ocispec

import (
	"errors"
	"path"
	"slices"
	"sort"
	"strings"

	imagespec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/containerd/containerd/v2/contrib/seccomp"

	"github.com/testudo-os/testudo/pkg/service"
)

const (
	defaultPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

	// The file limits systemd gives its services: enough for anything that
	// asks, small enough by default for programs that close every descriptor.
	defaultNoFileSoft = 1024
	defaultNoFileHard = 524288

	cpuPeriod = 100000 // microseconds, the kernel's default
)

// Host answers what only the machine knows.
type Host struct {
	// User resolves "user" or "user:group" where a part is a name. It is not
	// called for numbers.
	User func(name string) (User, error)
	// Device describes a device node.
	Device func(path string) (specs.LinuxDevice, error)
	// Devices lists every device node, for privileged services.
	Devices func() ([]specs.LinuxDevice, error)
	// Mappable says whether files of a path can be shown with other owners
	// (mount_setattr(2), MOUNT_ATTR_IDMAP). nil: all can.
	Mappable func(path string) bool
}

// User is who a process runs as.
type User struct {
	UID, GID uint32
	Groups   []uint32 // supplementary
	Home     string
}

// Options are what is decided outside the service file.
type Options struct {
	CgroupsPath string // below the cgroup root: /system/NAME
	NotifyDir   string // host folder that holds notify.sock; "" = no sd_notify
	InitBinary  string // host path of the init that `init: true` puts before the command
	FirstID     uint32 // of the IDs user and group ids that a service with Userns has on the machine
}

// IDs is how many user and group ids a service of its own user namespace has.
const IDs = 1 << 16

// idMappings says which of the machine's ids the service's are; nil where they
// are the same.
func (o Options) idMappings(svc *service.Service) []specs.LinuxIDMapping {
	if !svc.Userns {
		return nil
	}
	return []specs.LinuxIDMapping{{ContainerID: 0, HostID: o.FirstID, Size: IDs}}
}

// ErrNoCommand says that neither service nor image names a program.
var ErrNoCommand = errors.New("no command: neither the service nor its image names a program to run")

// Build returns the spec of svc run from an image with configuration image.
func Build(svc *service.Service, image imagespec.ImageConfig, host Host, opt Options) (*specs.Spec, error) {
	user, err := resolveUser(svc, image, host)
	if err != nil {
		return nil, err
	}
	args, err := arguments(svc, image)
	if err != nil {
		return nil, err
	}
	s := &specs.Spec{
		Version: specs.Version,
		Root:    &specs.Root{Path: "rootfs", Readonly: svc.ReadOnly},
		Process: &specs.Process{
			Terminal:        svc.TTY,
			Args:            args,
			Cwd:             workingDir(svc, image),
			NoNewPrivileges: svc.SecurityOpt.NoNewPrivileges,
			User:            specs.User{UID: user.UID, GID: user.GID, AdditionalGids: user.Groups},
			Capabilities:    capabilities(svc, user),
			Rlimits:         rlimits(svc.Ulimits),
			// Always said: unsaid it would be inherited from containerd, which
			// the kernel is told to spare almost as much as PID 1.
			OOMScoreAdj: &svc.OOMScoreAdj,
		},
		Linux: &specs.Linux{
			CgroupsPath: opt.CgroupsPath,
			Namespaces:  namespaces(svc),
			Sysctl:      svc.Sysctls,
			Resources:   resources(svc),
		},
	}
	s.Annotations = svc.Annotations
	if svc.Uts != "host" {
		s.Hostname = svc.Name
		if svc.Hostname != "" {
			s.Hostname = svc.Hostname
		}
	}
	if !svc.Privileged {
		s.Linux.MaskedPaths = maskedPaths()
		s.Linux.ReadonlyPaths = readonlyPaths()
	}

	s.Linux.UIDMappings, s.Linux.GIDMappings = opt.idMappings(svc), opt.idMappings(svc)
	extra := addInit(s, svc, opt)
	notify, socket := notifyMount(svc, opt)
	s.Mounts, s.Linux.RootfsPropagation = mounts(svc, append(extra, notify...))
	if err := mapMounts(s.Mounts, opt.idMappings(svc), host.Mappable); err != nil {
		return nil, err
	}
	s.Process.Env = environment(svc, image, user, socket)

	if err := addDevices(s, svc, host); err != nil {
		return nil, err
	}
	if !svc.Privileged && svc.SecurityOpt.Seccomp != "unconfined" {
		// Last: the profile allows what the capabilities above imply.
		s.Linux.Seccomp = seccomp.DefaultProfile(s)
	}
	return s, nil
}

// arguments follows the Compose rule: an entrypoint in the service clears the
// image's command too.
func arguments(svc *service.Service, image imagespec.ImageConfig) ([]string, error) {
	entrypoint, command := image.Entrypoint, image.Cmd
	if svc.Entrypoint != nil {
		entrypoint, command = svc.Entrypoint, nil
	}
	if svc.Command != nil {
		command = svc.Command
	}
	args := append(append([]string{}, entrypoint...), command...)
	if len(args) == 0 || args[0] == "" {
		return nil, ErrNoCommand
	}
	return args, nil
}

func workingDir(svc *service.Service, image imagespec.ImageConfig) string {
	for _, dir := range []string{svc.WorkingDir, image.WorkingDir} {
		if dir != "" {
			return dir
		}
	}
	return "/"
}

// environment merges, later wins: a PATH, HOME, the image's, the service's.
func environment(svc *service.Service, image imagespec.ImageConfig, user User, notifySocket string) []string {
	all := []string{defaultPath, "HOME=" + user.Home}
	if svc.TTY {
		all = append(all, "TERM=linux")
	}
	if notifySocket != "" {
		all = append(all, "NOTIFY_SOCKET="+notifySocket)
	}
	all = append(all, image.Env...)
	return Environment(append(all, svc.Environment...), nil)
}

// Environment is base with what more says in place of it. What has no value is
// left out.
func Environment(base, more []string) []string {
	at := map[string]int{}
	var merged []string
	for _, entry := range slices.Concat(base, more) {
		key, _, hasValue := strings.Cut(entry, "=")
		if !hasValue {
			continue // Compose: a name alone takes rosd's value, and rosd has none to give
		}
		if i, seen := at[key]; seen {
			merged[i] = entry
			continue
		}
		at[key] = len(merged)
		merged = append(merged, entry)
	}
	return merged
}

// rlimits are sorted by name, so that the same service gives the same spec.
func rlimits(ulimits map[string]service.Ulimit) []specs.POSIXRlimit {
	all := map[string]service.Ulimit{"nofile": {Soft: defaultNoFileSoft, Hard: defaultNoFileHard}}
	for name, limit := range ulimits {
		all[name] = limit
	}
	var list []specs.POSIXRlimit
	for name, limit := range all {
		list = append(list, specs.POSIXRlimit{
			Type: "RLIMIT_" + strings.ToUpper(name),
			// -1 becomes the largest number, which is RLIM_INFINITY.
			Soft: uint64(limit.Soft),
			Hard: uint64(limit.Hard),
		})
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Type < list[j].Type })
	return list
}

func namespaces(svc *service.Service) []specs.LinuxNamespace {
	list := []specs.LinuxNamespace{{Type: specs.MountNamespace}}
	add := func(kind specs.LinuxNamespaceType, mode string) {
		if mode != "host" {
			list = append(list, specs.LinuxNamespace{Type: kind})
		}
	}
	add(specs.PIDNamespace, svc.Pid)
	add(specs.IPCNamespace, svc.Ipc)
	add(specs.UTSNamespace, svc.Uts)
	add(specs.NetworkNamespace, svc.NetworkMode)
	add(specs.CgroupNamespace, svc.Cgroup)
	if svc.Userns {
		add(specs.UserNamespace, "")
	}
	return list
}

func resources(svc *service.Service) *specs.LinuxResources {
	res := &specs.LinuxResources{}
	if svc.MemLimit > 0 || svc.MemReservation > 0 {
		res.Memory = &specs.LinuxMemory{Limit: positive(svc.MemLimit), Reservation: positive(svc.MemReservation)}
		if svc.MemswapLimit != 0 {
			res.Memory.Swap = &svc.MemswapLimit
		}
	}
	if svc.PidsLimit > 0 {
		limit := svc.PidsLimit
		res.Pids = &specs.LinuxPids{Limit: &limit}
	}
	res.CPU = cpu(svc)
	return res
}

// cpu gives the limits on processors; nil when there are none.
func cpu(svc *service.Service) *specs.LinuxCPU {
	quota, period := svc.CPUQuota, uint64(svc.CPUPeriod)
	if svc.CPUs > 0 {
		quota = int64(svc.CPUs * cpuPeriod)
	}
	if quota == 0 && svc.CPUShares == 0 && svc.Cpuset == "" {
		return nil
	}
	c := &specs.LinuxCPU{Cpus: svc.Cpuset, Quota: positive(quota)}
	if quota > 0 {
		if period == 0 {
			period = cpuPeriod
		}
		c.Period = &period
	}
	if svc.CPUShares > 0 {
		shares := uint64(svc.CPUShares)
		c.Shares = &shares
	}
	return c
}

// positive is how the runtime spec says no limit.
func positive(n int64) *int64 {
	if n <= 0 {
		return nil
	}
	return &n
}

// addInit puts the small init before the command. It reaps what the command
// leaves behind and passes signals on.
func addInit(s *specs.Spec, svc *service.Service, opt Options) []specs.Mount {
	if !svc.Init || opt.InitBinary == "" {
		return nil
	}
	const target = "/.testudo-init"
	s.Process.Args = append([]string{target, "--"}, s.Process.Args...)
	return []specs.Mount{{
		Destination: target,
		Type:        "bind",
		Source:      opt.InitBinary,
		Options:     []string{"bind", "ro", "nosuid", "nodev"},
	}}
}

// notifyMount gives the service the folder with its sd_notify socket: the
// folder and not the socket, so that a socket made anew by the next rosd is
// seen. A service that has the host's /run uses it there.
func notifyMount(svc *service.Service, opt Options) (mount []specs.Mount, socket string) {
	if opt.NotifyDir == "" {
		return nil, ""
	}
	for _, v := range svc.Volumes {
		if v.Source == v.Target && within(opt.NotifyDir, v.Source) {
			return nil, path.Join(opt.NotifyDir, "notify.sock")
		}
	}
	const target = "/run/notify"
	return []specs.Mount{{
		Destination: target,
		Type:        "bind",
		Source:      opt.NotifyDir,
		Options:     []string{"bind", "ro", "nosuid", "nodev", "noexec", "rprivate"},
	}}, target + "/notify.sock"
}

func within(name, dir string) bool {
	return name == dir || strings.HasPrefix(name, strings.TrimSuffix(dir, "/")+"/")
}
