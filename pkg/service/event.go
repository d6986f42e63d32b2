package service

import "time"

// EventKind names what happened to a service. The set is closed.
type EventKind string

const (
	// What the supervisor did. Action.Event makes these: apply them in the
	// moment the action is handed to its executor.
	EventWaiting  EventKind = "waiting"  // nothing was done, for Reason
	EventStarting EventKind = "starting" // creation has begun
	EventStopping EventKind = "stopping" // its stop signal is being sent
	EventKilling  EventKind = "killing"  // SIGKILL is being sent
	EventRemoving EventKind = "removing" // what is left of its container is being removed
	EventFailing  EventKind = "failing"  // it is being stopped as one that failed, for Reason
	EventAccepted EventKind = "accepted" // it has proved itself
	EventArranged EventKind = "arranged" // its next run is noted

	// What executors and containerd tell.
	EventCreated     EventKind = "created"      // the container exists
	EventStarted     EventKind = "started"      // PID runs
	EventExited      EventKind = "exited"       // Code, Signal, OOM; also for one found dead after rosd was away
	EventStartFailed EventKind = "start-failed" // Reason; Permanent when trying again cannot help
	EventPulling     EventKind = "pulling"      // its image is being fetched: Reason says how far it is
	EventPulled      EventKind = "pulled"       // the image is here, creation goes on
	EventPullFailed  EventKind = "pull-failed"  // it could not be fetched: Reason
	EventGivenUp     EventKind = "given-up"     // fetching was ended, because it is not wanted like that any more: Reason
	EventAdopted     EventKind = "adopted"      // PID was running when rosd came: Since, Spec, Ready if known

	// What the service says and what its healthcheck finds.
	EventReady     EventKind = "ready"     // sd_notify READY=1
	EventNote      EventKind = "note"      // sd_notify STATUS=Reason
	EventHealthy   EventKind = "healthy"   // the healthcheck passed
	EventUnhealthy EventKind = "unhealthy" // it failed Retries times in a row; Reason
	EventLeaving   EventKind = "leaving"   // sd_notify STOPPING=1
	EventAlive     EventKind = "alive"     // sd_notify WATCHDOG=1
	EventExtend    EventKind = "extend"    // sd_notify EXTEND_TIMEOUT_USEC=: By more, from now

	// What the operator asks for.
	EventStartRequested   EventKind = "start-requested"
	EventStopRequested    EventKind = "stop-requested"
	EventRestartRequested EventKind = "restart-requested"
	EventRetryRequested   EventKind = "retry-requested" // a change that was refused is to be tried again

	// What the service files say.
	EventInvalid  EventKind = "invalid"  // its declaration cannot be used: Reason
	EventDisabled EventKind = "disabled" // it is declared and not wanted: Reason
)

// Event is one thing that happened. Fields that a kind does not name are zero.
type Event struct {
	Kind      EventKind
	Reason    string
	PID       int
	Code      int
	Signal    string // "SIGKILL"; "" when it exited by itself
	OOM       bool
	Permanent bool
	Blameless bool // nothing was wrong with the service: containerd was not there
	Ready     bool
	By        time.Duration
	Since     time.Time // when an adopted service was started
	Spec      string    // Service.Hash it was started with
	Image     string    // digest of what it was started from, if that is known

	// Jitter in [0,1) spreads restarts that EventExited and EventStartFailed
	// bring about. It is injected, so that this package stays a function.
	Jitter float64
}
