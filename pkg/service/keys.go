package service

import (
	"path"
	"slices"

	"gopkg.in/yaml.v3"

	"github.com/testudo-os/testudo/pkg/strictyaml"
)

// serviceYAML is a service as it stands in a file. Every key of Compose that
// is understood is a field; Refused says why the others are not.
type serviceYAML struct {
	Image        string            `yaml:"image"`
	Command      commandLine       `yaml:"command"`
	Entrypoint   commandLine       `yaml:"entrypoint"`
	Environment  environment       `yaml:"environment"`
	EnvFile      envFiles          `yaml:"env_file"`
	WorkingDir   absolutePath      `yaml:"working_dir"`
	User         strictyaml.Text   `yaml:"user"`
	GroupAdd     []strictyaml.Text `yaml:"group_add"`
	Volumes      volumes           `yaml:"volumes"`
	Tmpfs        tmpfsList         `yaml:"tmpfs"`
	NetworkMode  networkMode       `yaml:"network_mode"`
	Pid          hostOrNone        `yaml:"pid"`
	Ipc          hostOrNone        `yaml:"ipc"`
	Uts          hostOrNone        `yaml:"uts"`
	Cgroup       hostOrNone        `yaml:"cgroup"`
	UsernsMode   usernsMode        `yaml:"userns_mode"`
	Privileged   bool              `yaml:"privileged"`
	CapAdd       capabilities      `yaml:"cap_add"`
	CapDrop      capabilities      `yaml:"cap_drop"`
	Devices      []deviceYAML      `yaml:"devices"`
	DeviceCgroup []deviceRule      `yaml:"device_cgroup_rules"`
	ReadOnly     bool              `yaml:"read_only"`
	SecurityOpt  securityOpts      `yaml:"security_opt"`
	Sysctls      stringMap         `yaml:"sysctls"`
	Ulimits      ulimits           `yaml:"ulimits"`
	CPUs         cpus              `yaml:"cpus"`
	MemLimit     byteSize          `yaml:"mem_limit"`
	PidsLimit    int64             `yaml:"pids_limit"`
	OOMScoreAdj  oomScore          `yaml:"oom_score_adj"`
	Init         bool              `yaml:"init"`
	TTY          bool              `yaml:"tty"`
	StdinOpen    bool              `yaml:"stdin_open"`
	StopSignal   signalName        `yaml:"stop_signal"`
	StopGrace    duration          `yaml:"stop_grace_period"`
	Restart      restartPolicy     `yaml:"restart"`
	DependsOn    dependencies      `yaml:"depends_on"`
	Healthcheck  *healthcheckYAML  `yaml:"healthcheck"`
	Labels       stringMap         `yaml:"labels"`
	Annotations  stringMap         `yaml:"annotations"`
	Hostname     hostname          `yaml:"hostname"`
	ShmSize      byteSize          `yaml:"shm_size"`
	MemReserve   byteSize          `yaml:"mem_reservation"`
	MemSwap      swapLimit         `yaml:"memswap_limit"`
	CPUShares    cpuShares         `yaml:"cpu_shares"`
	CPUPeriod    cpuPeriod         `yaml:"cpu_period"`
	CPUQuota     cpuQuota          `yaml:"cpu_quota"`
	Cpuset       cpuset            `yaml:"cpuset"`
	Configs      grants            `yaml:"configs"`
	Secrets      grants            `yaml:"secrets"`
	Logging      logging           `yaml:"logging"`
	Extends      extendsYAML       `yaml:"extends"` // done away with before: see folder.extended
	Deploy       deployYAML        `yaml:"deploy"`  // each key refused by itself
	Profiles     []string          `yaml:"profiles"`
	PullPolicy   pullPolicy        `yaml:"pull_policy"`
	Ros          rosYAML           `yaml:"x-ros"`

	service  Service
	objects  objects
	problems []problem // of finish
}

// rosYAML is x-ros: what Compose lacks.
type rosYAML struct {
	Essential  bool      `yaml:"essential"`
	Ready      readyYAML `yaml:"ready"`
	Scope      scope     `yaml:"scope"`
	Persistent bool      `yaml:"persistent"`
	Priority   int       `yaml:"priority"`

	Supervision supervisionYAML `yaml:",inline"`
}

func newServiceYAML(name string, at Place) serviceYAML {
	return serviceYAML{
		StopGrace: duration(DefaultGrace),
		Ros:       rosYAML{Priority: DefaultPriority, Scope: ScopeSystem},
		service:   Service{Name: name, Source: at.Row()},
	}
}

// Refused names the keys of Compose that Testudo does not take, and why.
func (*serviceYAML) Refused(key string) string { return refusal(serviceRefusals, key) }

// finish turns what stands in the file into the service.
func (y *serviceYAML) finish() {
	s := &y.service
	s.Image, s.Command, s.Entrypoint = y.Image, y.Command, y.Entrypoint
	s.Environment, s.EnvFiles = y.Environment, y.EnvFile
	s.WorkingDir, s.User = string(y.WorkingDir), string(y.User)
	for _, g := range y.GroupAdd {
		s.GroupAdd = append(s.GroupAdd, string(g))
	}
	s.Volumes, s.Tmpfs = y.Volumes.binds, append(y.Volumes.tmpfs, y.Tmpfs...)
	for _, kind := range []struct {
		name, dir string
		granted   grants
	}{{"configs", "/", y.Configs}, {"secrets", "/run/secrets", y.Secrets}} {
		binds, problems := kind.granted.binds(kind.name, kind.dir, y.objects)
		s.Volumes, y.problems = append(s.Volumes, binds...), append(y.problems, problems...)
	}
	s.NetworkMode = string(y.NetworkMode)
	if s.NetworkMode == "" {
		s.NetworkMode = "none"
	}
	s.Pid, s.Ipc, s.Uts, s.Cgroup = string(y.Pid), string(y.Ipc), string(y.Uts), string(y.Cgroup)
	s.Userns = y.UsernsMode == "auto"
	s.Privileged, s.CapAdd, s.CapDrop = y.Privileged, sortedUnique(y.CapAdd), sortedUnique(y.CapDrop)
	for _, d := range y.Devices {
		s.Devices = append(s.Devices, Device(d))
	}
	for _, r := range y.DeviceCgroup {
		s.DeviceCgroup = append(s.DeviceCgroup, string(r))
	}
	s.ReadOnly, s.SecurityOpt, s.Sysctls = y.ReadOnly, SecurityOpt(y.SecurityOpt), y.Sysctls
	for name, l := range y.Ulimits {
		if s.Ulimits == nil {
			s.Ulimits = map[string]Ulimit{}
		}
		s.Ulimits[name] = Ulimit(l)
	}
	s.CPUs, s.MemLimit, s.PidsLimit, s.OOMScoreAdj = float64(y.CPUs), int64(y.MemLimit), max(y.PidsLimit, 0), int(y.OOMScoreAdj)
	s.Init, s.TTY, s.StdinOpen = y.Init, y.TTY, y.StdinOpen
	s.StopSignal, s.StopGracePeriod, s.Restart = string(y.StopSignal), y.StopGrace.std(), Restart(y.Restart)
	if s.Restart.Policy == "" {
		s.Restart.Policy = "no"
	}
	s.DependsOn, s.Labels, s.Annotations = y.DependsOn, y.Labels, y.Annotations
	s.Hostname, s.ShmSize, s.MemReservation, s.MemswapLimit = string(y.Hostname), int64(y.ShmSize), int64(y.MemReserve), int64(y.MemSwap)
	s.CPUShares, s.CPUPeriod, s.CPUQuota, s.Cpuset = int64(y.CPUShares), int64(y.CPUPeriod), int64(y.CPUQuota), string(y.Cpuset)
	s.Profiles = sortedUnique(slices.Clone(y.Profiles))
	if y.Healthcheck != nil {
		s.Healthcheck = y.Healthcheck.healthcheck()
	}
	if probe := y.Ros.Supervision.Healthcheck.probe(); probe != (Probe{}) {
		if s.Healthcheck == nil {
			s.Healthcheck = (&healthcheckYAML{}).healthcheck()
		}
		s.Healthcheck.Probe = probe
	}
	s.Supervision = y.Ros.Supervision.supervision()
	if s.Schedule != nil && y.Ros.Ready == "" {
		y.Ros.Ready = readyYAML(ReadyExit)
	}
	s.Essential, s.Ready, s.Scope = y.Ros.Essential, Ready(y.Ros.Ready), string(y.Ros.Scope)
	s.Persistent, s.Priority = y.Ros.Persistent, y.Ros.Priority
	s.Pull, s.LogSize = Pull(y.PullPolicy), y.Logging.limit
	if s.Ready == "" {
		s.Ready = ReadyStarted
		if s.Healthcheck != nil {
			s.Ready = ReadyHealthy
		}
	}
}

// word decodes a scalar that must be one of a few words.
func word(d *strictyaml.Decoder, n *yaml.Node, words ...string) string {
	var s strictyaml.Text
	if !d.Decode(n, &s) {
		return ""
	}
	if !slices.Contains(words, string(s)) {
		d.Errorf(n, "found %q%s", string(s), strictyaml.Suggest(string(s), words))
		return ""
	}
	return string(s)
}

// absolutePath is a path in the container.
type absolutePath string

func (p *absolutePath) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	var s string
	if d.Decode(n, &s) {
		if !path.IsAbs(s) {
			d.Wrong(n, "a path that begins with /")
			return
		}
		*p = absolutePath(path.Clean(s))
	}
}
