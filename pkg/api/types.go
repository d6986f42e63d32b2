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
	Source    string     `json:"source"`              // file that declares it
	DependsOn []string   `json:"depends_on,omitempty"`
	History   []Event    `json:"history,omitempty"` // newest last, bounded
}

// Event is one transition of a service.
type Event struct {
	Time   time.Time `json:"time"`
	State  State     `json:"state"`
	Reason string    `json:"reason"`
}

// BootStep is one named step of init, or a service's way from start to ready.
type BootStep struct {
	Name  string `json:"name"`
	Kind  string `json:"kind"`  // "init" or "service"
	Start int64  `json:"start"` // microseconds of CLOCK_BOOTTIME
	End   int64  `json:"end"`
	Error string `json:"error,omitempty"`
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
	Hostname string    `json:"hostname"`
	Version  Version   `json:"version"`
	Healthy  bool      `json:"healthy"` // all essential services are ready
	Uptime   float64   `json:"uptime_seconds"`
	Machine  Machine   `json:"machine"`
	Problems []string  `json:"problems"` // bad service files, bad configuration, failed services
	Services []Service `json:"services"`
}

// Version says which release runs.
type Version struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Build   string `json:"build_id"`
	Kernel  string `json:"kernel"`
}

// LogLine is one line of a service's output.
type LogLine struct {
	Time    time.Time `json:"time"`
	Service string    `json:"service"`
	Stream  string    `json:"stream"` // "stdout" or "stderr"
	Line    string    `json:"line"`
}

// Error is the body of every answer that is not 2xx.
type Error struct {
	Message string `json:"error"`
}

// Power is the body of POST /v1/power.
type Power struct {
	Action string `json:"action"` // "poweroff", "reboot" or "halt"
}

// Routes of the API. {name} is a service's name.
//
//	GET  /v1/status              Status
//	GET  /v1/version             Version
//	GET  /v1/services            []Service
//	GET  /v1/services/{name}     Service (with History)
//	POST /v1/services/{name}/start|stop|restart   Service; waits until done
//	GET  /v1/services/{name}/inspect   service.Service as resolved, with image digest
//	GET  /v1/logs?service=NAME&tail=N&follow=true   LogLine as JSON lines
//	GET  /v1/boot                []BootStep
//	POST /v1/power               Power
//	GET  /v1/config              config.Config in force, secrets redacted (Config.Redacted)
