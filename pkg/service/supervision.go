package service

import "time"

// Supervision is what x-ros says about a service's life; docs/supervision.md
// says what it means.
type Supervision struct {
	Watchdog     time.Duration // 0: none
	StartTimeout time.Duration // 0: none
	Trial        time.Duration // 0: DefaultTrial
	Schedule     *Schedule     // nil: it is no scheduled job
}

// Times of a change.
const (
	// DefaultTrial is how long a changed service is to stay ready before
	// what ran before is forgotten.
	DefaultTrial = 5 * time.Second
	// TrialPatience bounds how long a changed service that has no start
	// timeout may take to become ready.
	TrialPatience = 90 * time.Second
)

// Probe is a healthcheck that rosd does by itself. One field is set.
type Probe struct {
	HTTP string // URL
	TCP  string // HOST:PORT
	File string // a path in the service's file system that has to be there
}

// Notifies says whether the service is given a socket for sd_notify.
func (s Service) Notifies() bool { return s.Ready == ReadyNotify || s.Watchdog > 0 }

func (s Service) trial() time.Duration {
	if s.Trial > 0 {
		return s.Trial
	}
	return DefaultTrial
}
