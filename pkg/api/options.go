package api

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"time"
)

// LogOptions says which lines Logs gives.
type LogOptions struct {
	Services     []string  // empty: all
	Tail         int       // the last so many lines; negative: all
	Follow       bool      // go on with lines to come, until the context ends
	Since, Until time.Time // zero: any
	Boot         *int      // 0 this boot, -1 the one before, ...; nil: all
	Priority     *int      // this or graver, 0 to 7; nil: all
	Grep         string    // a regular expression (RE2); empty: all
}

var logParameters = []parameter{
	{name: "service", kind: "string", repeats: true, summary: "Only of this one; may be given several times."},
	tail, follow,
	{name: "since", kind: "string", format: "date-time", summary: "Only lines of then or later."},
	{name: "until", kind: "string", format: "date-time", summary: "Only lines before then."},
	{name: "boot", kind: "integer", summary: "0 for this boot, -1 for the one before, and so on."},
	{name: "priority", kind: "integer", summary: "Only lines of this priority of syslog(3) or graver, 0 to 7."},
	{name: "grep", kind: "string", format: "regex", summary: "Only lines that match this regular expression (RE2)."},
}

func (o LogOptions) query() url.Values {
	q := url.Values{}
	if len(o.Services) > 0 {
		q["service"] = o.Services
	}
	setTail(q, o.Tail, o.Follow)
	for name, t := range map[string]time.Time{"since": o.Since, "until": o.Until} {
		if !t.IsZero() {
			q.Set(name, t.UTC().Format(time.RFC3339Nano))
		}
	}
	for name, n := range map[string]*int{"boot": o.Boot, "priority": o.Priority} {
		if n != nil {
			q.Set(name, strconv.Itoa(*n))
		}
	}
	if o.Grep != "" {
		q.Set("grep", o.Grep)
	}
	return q
}

func setTail(q url.Values, tail int, follow bool) {
	if tail >= 0 {
		q.Set("tail", strconv.Itoa(tail))
	}
	if follow {
		q.Set("follow", "true")
	}
}

func sendLogs(b Backend, r *http.Request, send func(any) error) error {
	p := values{query: r.URL.Query()}
	o := LogOptions{
		Services: p.query["service"], Tail: p.tail(), Follow: p.bool("follow"), Since: p.time("since"), Until: p.time("until"),
		Boot: p.int("boot", -1<<20, 0), Priority: p.int("priority", 0, 7), Grep: p.query.Get("grep"),
	}
	if _, err := regexp.Compile(o.Grep); err != nil {
		p.wrong("grep", "no regular expression: "+err.Error())
	}
	if o.Follow && !o.Until.IsZero() {
		p.wrong("until", "of no use with follow")
	}
	if p.err != nil {
		return p.err
	}
	return b.Logs(r.Context(), o, func(l LogLine) error { return send(l) })
}

// EventOptions says which events Events gives.
type EventOptions struct {
	Tail   int  // the last so many; negative: all that are kept
	Follow bool // go on with events to come, until the context ends
}

func (o EventOptions) query() url.Values {
	q := url.Values{}
	setTail(q, o.Tail, o.Follow)
	return q
}

func sendEvents(b Backend, r *http.Request, send func(any) error) error {
	p := values{query: r.URL.Query()}
	o := EventOptions{Tail: p.tail(), Follow: p.bool("follow")}
	if p.err != nil {
		return p.err
	}
	return b.Events(r.Context(), o, func(e SystemEvent) error { return send(e) })
}

// values reads a query and keeps the first error.
type values struct {
	query url.Values
	err   error
}

func (v *values) wrong(name, reason string) {
	if v.err == nil {
		v.err = fmt.Errorf("%w: %s=%q: %s", ErrInvalid, name, v.query.Get(name), reason)
	}
}

func (v *values) tail() int {
	if n := v.int("tail", 0, 1<<31-1); n != nil {
		return *n
	}
	return -1
}

// int reads a number; nil when there is none.
func (v *values) int(name string, least, most int) *int {
	if !v.query.Has(name) {
		return nil
	}
	n, err := strconv.Atoi(v.query.Get(name))
	if err != nil || n < least || n > most {
		v.wrong(name, fmt.Sprintf("want a number from %d to %d", least, most))
		return nil
	}
	return &n
}

func (v *values) bool(name string) bool {
	switch v.query.Get(name) {
	case "true":
		return true
	case "false":
		return false
	}
	if v.query.Has(name) {
		v.wrong(name, "want true or false")
	}
	return false
}

func (v *values) time(name string) time.Time {
	if !v.query.Has(name) {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339Nano, v.query.Get(name))
	if err != nil {
		v.wrong(name, "want a time such as 2026-11-21T12:00:00Z")
	}
	return t
}
