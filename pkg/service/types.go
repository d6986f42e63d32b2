// Package service says what a service is: the typed form of a Compose file
// with Testudo's x-ros extension, how such files are read strictly, and which
// actions follow from what should run and what runs (the planner). It does no
// I/O beyond reading files, and imports no containerd: only pkg/runtime does.
package service

import (
	"time"

	"gopkg.in/yaml.v3"
)

// Service is one declared service after parsing: short forms are expanded,
// units are numbers, defaults are filled in. Names and meanings are those of
// the Compose Specification unless said otherwise.
type Service struct {
	Name   string // the key under `services:`
	Source string // file:line that first declares it

	Layers  []Layer          // what declares it, later ones over earlier ones
	Origins map[string]Place // of each key; depends_on.NAME, x-ros.KEY and healthcheck.KEY too
	Off     string           // why it is not wanted; "" when it is

	Image           string
	Command         []string  // nil: the image's own
	Entrypoint      []string  // nil: the image's own
	Environment     []string  // KEY=VALUE, sorted; wins over EnvFiles
	EnvFiles        []EnvFile // read when the service starts: see Env
	WorkingDir      string
	User            string // user[:group], names or numbers
	GroupAdd        []string
	Volumes         []Volume
	Tmpfs           []Tmpfs
	NetworkMode     string // "none" (default for system services) or "host"
	Pid             string // "" or "host"
	Ipc             string // "" or "host"
	Uts             string // "" or "host"
	Cgroup          string // "" or "host"
	Userns          bool   // userns_mode: auto: it has user ids of its own
	Privileged      bool
	CapAdd          []string // CAP_ names, upper case; "ALL"
	CapDrop         []string
	Devices         []Device
	DeviceCgroup    []string // device_cgroup_rules: "c 13:* r"
	ReadOnly        bool
	SecurityOpt     SecurityOpt
	Sysctls         map[string]string
	Ulimits         map[string]Ulimit
	CPUs            float64 // 0: no limit
	MemLimit        int64   // bytes, 0: no limit
	PidsLimit       int64   // 0: no limit
	OOMScoreAdj     int
	Init            bool
	TTY             bool
	StdinOpen       bool
	StopSignal      string        // "" = image's, else SIGTERM
	StopGracePeriod time.Duration // default 10 s
	Restart         Restart
	DependsOn       []Dependency // sorted by name
	Healthcheck     *Healthcheck
	Labels          map[string]string
	Annotations     map[string]string // of the OCI runtime spec
	Profiles        []string
	Hostname        string // "" = the service's name
	ShmSize         int64  // bytes of /dev/shm, 0: 64 MiB
	MemReservation  int64  // bytes below which memory is not taken back
	MemswapLimit    int64  // bytes of memory and swap; -1: no limit, 0: what the kernel says
	CPUShares       int64  // weight from 2 to 262144; 1024 is usual
	CPUPeriod       int64  // microseconds, 0: 100000
	CPUQuota        int64  // microseconds of processor time a period, 0: no limit
	Cpuset          string // "0-2,5"

	Essential  bool   // x-ros.essential
	Ready      Ready  // x-ros.ready
	Scope      string // ScopeSystem or ScopeUser
	Persistent bool   // x-ros.persistent: the writable layer outlives a restart
	Priority   int    // x-ros.priority: of those that may start, the lower starts first; default DefaultPriority

	compose *yaml.Node // of scope user: for docker compose

	Pull        Pull   // pull_policy
	LogSize     int64  // logging.options: bytes of its output that are kept, 0: as for all
	ImageDigest string // of the image as it is here now; "": not known. Not of the file

	Supervision // the rest of x-ros

	hash string // of a Sealed service
}

// Defaults that the Compose Specification does not have.
const (
	DefaultPriority = 50
	DefaultGrace    = 10 * time.Second
)

// EnvFile is one entry of `env_file`.
type EnvFile struct {
	Path     string // absolute
	Required bool   // default true
}

// Layer is one declaration of a service.
type Layer struct {
	Label string // of its source: built-in, catalog, user, configuration
	Place Place
}

// Volume is one entry of `volumes`. Type is "bind" only in this release.
type Volume struct {
	Source, Target    string
	ReadOnly          bool
	Propagation       string // "", "rprivate", "rslave", "rshared"
	CreateHostPath    bool   // make Source a directory when it is missing (short form: true)
	NoExec, Recursive bool
}

// Tmpfs is one entry of `tmpfs` or a `volumes` entry of type tmpfs.
type Tmpfs struct {
	Target string
	Size   int64  // bytes, 0: the kernel's default
	Mode   uint32 // 0: 01777
}

// Device is one entry of `devices`: HOST:CONTAINER:rwm.
type Device struct{ Source, Target, Permissions string }

// Ulimit holds a soft and a hard limit; -1 is unlimited.
type Ulimit struct{ Soft, Hard int64 }

// SecurityOpt is `security_opt`, parsed.
type SecurityOpt struct {
	NoNewPrivileges bool   // no-new-privileges:true
	Seccomp         string // "" = default profile, "unconfined"
}

// Restart is the restart policy.
type Restart struct {
	Policy     string // "no", "always", "on-failure", "unless-stopped"
	MaxRetries int    // on-failure:N; 0: no limit
}

// Dependency is one entry of `depends_on`.
type Dependency struct {
	Name      string
	Condition Condition
	Required  bool // default true: without it this service does not start
	Restart   bool
}

// Condition is what a dependent waits for.
type Condition string

const (
	Started               Condition = "service_started"
	ReadyCondition        Condition = "service_ready" // Testudo's: what x-ros.ready says; the default of the short form
	Healthy               Condition = "service_healthy"
	CompletedSuccessfully Condition = "service_completed_successfully"
)

// Ready says when a service counts as ready.
type Ready string

const (
	ReadyStarted Ready = "started" // default without a healthcheck
	ReadyHealthy Ready = "healthy" // default with one
	ReadyNotify  Ready = "notify"  // sd_notify READY=1
	ReadyExit    Ready = "exit"    // one-shot: done when it exits 0
)

// Healthcheck is Compose's; Test is ["CMD", ...] or ["CMD-SHELL", "..."], or
// none: then Probe says what rosd itself looks at.
type Healthcheck struct {
	Test          []string
	Probe         Probe
	Interval      time.Duration // default 30 s
	Timeout       time.Duration // default 30 s
	StartPeriod   time.Duration
	StartInterval time.Duration // default 5 s
	Retries       int           // default 3
}
