package service

import (
	"fmt"
	"hash/fnv"
	"time"

	"github.com/robfig/cron/v3"
)

// Schedule is when a job runs: x-ros.schedule.
type Schedule struct {
	Cron   string        // five fields as in crontab(5), or @daily and the like
	Jitter time.Duration // each run is up to so much later
	Once   bool          // runs that were missed are made up for by one; else they are left out
}

// missedAfter is how late a run may still begin.
const missedAfter = time.Minute

// Next is the first run of service name that is due after a time. Jitter is the
// same whenever it is asked for, and differs between services and runs.
func (s Schedule) Next(name string, after time.Time) time.Time {
	times, err := cron.ParseStandard(s.Cron)
	if err != nil {
		return time.Time{} // was refused when it was read
	}
	if s.Jitter <= 0 {
		return times.Next(after)
	}
	// A time before after may be due after it with its jitter.
	for due := times.Next(after.Add(-s.Jitter)); !due.IsZero(); due = times.Next(due) {
		h := fnv.New64a()
		fmt.Fprintf(h, "%s %d", name, due.Unix())
		if late := due.Add(time.Duration(h.Sum64() % uint64(s.Jitter))); late.After(after) {
			return late
		}
	}
	return time.Time{}
}

// scheduled starts a job when its time has come.
func (p *planner) scheduled(s Service, st Status) {
	due := st.NextRun
	switch {
	case st.RunNow:
		p.start(s, st)
	case st.NextOf != *s.Schedule || due.IsZero():
		p.starts = append(p.starts, Action{Arrange, s.Name, "waiting for its next run"})
	case p.now.Before(due):
		p.at(due)
		if st.Container && !s.Persistent {
			p.end(Remove, s.Name, "it does not run")
		}
	case p.now.Sub(due) > missedAfter && !s.Schedule.Once:
		p.starts = append(p.starts, Action{Arrange, s.Name, "its run of " + due.Format(time.DateTime) + " was missed"})
	default:
		p.start(s, st)
	}
}

// plansRun notes when a job is to run next.
func (st *Status) plansRun(s Service, now time.Time) {
	if s.Schedule != nil {
		st.NextRun, st.NextOf = s.Schedule.Next(s.Name, now), *s.Schedule
	}
}

// ran keeps what became of a run of a job.
func (st *Status) ran(s Service, why string, e Event, now time.Time) {
	if s.Ready != ReadyExit {
		return
	}
	runs := st.Runs[max(0, len(st.Runs)-maxRuns+1):]
	st.Runs = append(runs[:len(runs):len(runs)], Run{Start: st.StartedAt, End: now, Code: e.Code, Signal: e.Signal, Reason: why})
	if s.Schedule != nil && (!s.Schedule.Once || st.NextOf != *s.Schedule) && !now.Before(st.NextRun) {
		st.plansRun(s, now) // what was due meanwhile is left out
	}
}
