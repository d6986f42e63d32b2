// Package api holds what rosd and its clients exchange: JSON types, the client
// and the server's routes. It imports no containerd and no YAML, so that ros
// stays a thin client.
package api

import "time"

// State is where a service stands. The set is closed; see pkg/service for the
// transitions.
type State string

const (
	StateDisabled  State = "disabled"   // not wanted
	StateInvalid   State = "invalid"    // its file or image cannot be used; Reason says why
	StateWaiting   State = "waiting"    // wanted, waits for a dependency
	StatePulling   State = "pulling"    // its image is being fetched
	StateStarting  State = "starting"   // being created, or started and not yet ready
	StateRunning   State = "running"    // ready
	StateStopping  State = "stopping"   // asked to stop, in its grace period
	StateStopped   State = "stopped"    // stopped by an operator
	StateExited    State = "exited"     // ended by itself and is not to be restarted
	StateBackoff   State = "backoff"    // ended; restart is due
	StateCrashLoop State = "crash-loop" // ended too often; restarts are far apart
)

// Service is one row of `ros service ls` and `ros service ps`.
type Service struct {
	Name      string     `json:"name"`
	State     State      `json:"state"`
	Reason    string     `json:"reason"` // for people: why it is in this state
	Ready     bool       `json:"ready"`
	Essential bool       `json:"essential"`
	PID       int        `json:"pid"` // 0 when it does not run
	Image     string     `json:"image"`
	Restarts  int        `json:"restarts"`
	Since     time.Time  `json:"since"`                // of the present state
	StartedAt *time.Time `json:"started_at,omitempty"` // of the present or last run
	ReadyAt   *time.Time `json:"ready_at,omitempty"`
	ExitCode  *int       `json:"exit_code,omitempty"` // of the last run
	Signal    string     `json:"signal,omitempty"`    // that ended the last run
	Failures  int        `json:"failures,omitempty"`  // of late
	NextStart *time.Time `json:"next_start,omitempty"`
	Health    string     `json:"health,omitempty"`   // what the healthcheck found last
	Refused   *Refused   `json:"refused,omitempty"`  // a change that failed: what ran before runs again
	Runs      []Run      `json:"runs,omitempty"`     // of a job, oldest first, bounded
	LastLog   []string   `json:"last_log,omitempty"` // what it said last, when it failed
	Source    string     `json:"source"`             // file that declares it
	Layers    []Layer    `json:"layers,omitempty"`   // what declares it, later ones over earlier ones
	DependsOn []string   `json:"depends_on,omitempty"`
	History   []Event    `json:"history,omitempty"` // newest last, bounded
}

// Layer is one place that declares a service, or a part of it.
type Layer struct {
	Label string `json:"label"` // built-in, catalog, user or configuration
	Place string `json:"place"` // file:line
}

// Refused is a change of a service that failed.
type Refused struct {
	Time   time.Time `json:"time"`
	Image  string    `json:"image"`
	Reason string    `json:"reason"`
}

// Run is one run of a job that has ended.
type Run struct {
	Start    time.Time `json:"start"`
	End      time.Time `json:"end"`
	ExitCode int       `json:"exit_code"`
	Signal   string    `json:"signal,omitempty"`
	Reason   string    `json:"reason"`
}

// Event is one transition of a service.
type Event struct {
	Time   time.Time `json:"time"`
	State  State     `json:"state"`
	Reason string    `json:"reason"`
}

// SystemEvent is something that happened on the machine.
type SystemEvent struct {
	Time     time.Time `json:"time"`
	Kind     string    `json:"kind"` // "service", or "exec": a program was run in it
	Name     string    `json:"name"` // of the service
	State    State     `json:"state"`
	Reason   string    `json:"reason"`
	PID      int       `json:"pid,omitempty"`
	ExitCode *int      `json:"exit_code,omitempty"` // of the last run
}

// BootStep is one named step of init, or a service's way from start to ready.
// Times are microseconds of CLOCK_BOOTTIME.
type BootStep struct {
	Name  string     `json:"name"`
	Kind  string     `json:"kind"`            // "init" or "service"
	Waits []BootWait `json:"waits,omitempty"` // of a service, before its start
	Start int64      `json:"start"`           // of being made
	Runs  int64      `json:"runs,omitempty"`  // when its process ran
	End   int64      `json:"end"`             // when it was ready, or failed
	Error string     `json:"error,omitempty"`
}

// BootWait is a time in which a service waited.
type BootWait struct {
	Reason string `json:"reason"` // for people
	From   int64  `json:"from"`   // microseconds of CLOCK_BOOTTIME
	To     int64  `json:"to"`
}

// Usage is what a running service uses, from its control group. Counters count
// from the start of its container.
type Usage struct {
	Service     string    `json:"service"`
	PID         int       `json:"pid"`
	Time        time.Time `json:"time"`         // of reading
	CPU         int64     `json:"cpu_us"`       // microseconds of processor time
	Memory      int64     `json:"memory"`       // bytes, with file cache
	MemoryLimit int64     `json:"memory_limit"` // bytes; 0: none
	Processes   int64     `json:"processes"`    // with threads
	ReadBytes   int64     `json:"read_bytes"`   // from disks
	WriteBytes  int64     `json:"write_bytes"`  // to disks
}

// Machine is what init found out about the machine and could not say elsewhere.
type Machine struct {
	StateDevice string   `json:"state_device"` // "" when the state lives in RAM
	StateReason string   `json:"state_reason"` // why it lives in RAM, or what was repaired
	StateMode   string   `json:"state_mode"`   // "disk", "ram", "read-only"
	Warnings    []string `json:"warnings,omitempty"`
}

// Status is the answer to `ros status`.
type Status struct {
	Hostname  string       `json:"hostname"`
	Version   Version      `json:"version"`
	Healthy   bool         `json:"healthy"` // all essential services are ready
	Uptime    float64      `json:"uptime_seconds"`
	Machine   Machine      `json:"machine"`
	Config    ConfigStatus `json:"config"`
	Disks     []Disk       `json:"disks"`
	Addresses []Address    `json:"addresses"`
	Problems  []string     `json:"problems"` // bad service files, bad configuration, failed services
	Services  []Service    `json:"services"`

	LastUpgrade *LastUpgrade `json:"last_upgrade,omitempty"` // of a service; absent: there never was one
}

// LastUpgrade is the last move of a service to another image.
type LastUpgrade struct {
	Service  string    `json:"service"`
	Image    string    `json:"image"`
	Previous string    `json:"previous"`
	Time     time.Time `json:"time"`            // when it proved itself, or failed
	Error    string    `json:"error,omitempty"` // why it failed: Previous runs
}

// Disk is a file system on which state lives.
type Disk struct {
	Path   string `json:"path"`
	Device string `json:"device"` // "" for memory
	Size   int64  `json:"size"`   // bytes
	Free   int64  `json:"free"`   // bytes, for the administrator
}

// Address is one the machine can be reached by.
type Address struct {
	Interface string `json:"interface"`
	Address   string `json:"address"` // with the length of its prefix: 10.0.2.15/24
}

// Version says which release runs.
type Version struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Build   string `json:"build_id"`
	Kernel  string `json:"kernel"`
}

// LogLine is one line of a service's output, or of the kernel's log.
type LogLine struct {
	Time      time.Time `json:"time"`
	Monotonic int64     `json:"monotonic_us"` // microseconds of CLOCK_BOOTTIME
	BootID    string    `json:"boot_id"`      // 32 hex digits, of the boot it was written in
	Service   string    `json:"service"`
	Stream    string    `json:"stream"`   // StreamStdout, StreamStderr or StreamKernel
	Priority  int       `json:"priority"` // of syslog(3): 0 emergency to 7 debug
	Line      string    `json:"line"`
}

// Streams of a LogLine.
const (
	StreamStdout = "stdout"
	StreamStderr = "stderr"
	StreamKernel = "kernel"
)

// Names under which the system itself writes logs; no service may have them.
const (
	KernelLog = "kernel"
	RosdLog   = "rosd"
)

// Error is the body of every answer that is not 2xx.
type Error struct {
	Message string `json:"error"`
}

// Power is the body of POST /v1/power.
type Power struct {
	Action string `json:"action"` // "poweroff", "reboot" or "halt"
}

// Declaration is the body that create takes; the others take none.
type Declaration struct {
	File string `json:"file"` // the whole text of a service file
}

// Declared is what was done to the declaration of a service.
type Declared struct {
	Name    string `json:"name"`
	File    string `json:"file"`    // that was written or removed
	Message string `json:"message"` // for people
}
