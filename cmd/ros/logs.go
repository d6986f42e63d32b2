package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/pflag"

	"github.com/testudo-os/testudo/pkg/api"
)

type logFlags struct {
	set          *pflag.FlagSet
	follow       bool
	tail         int
	since, until string
	boot         int
	priority     string
	grep         string
}

func bindLogFlags(set *pflag.FlagSet) *logFlags {
	f := &logFlags{set: set}
	set.BoolVarP(&f.follow, "follow", "f", false, "go on with lines to come")
	set.IntVarP(&f.tail, "tail", "n", -1, "the last so many lines; -1 for all")
	set.StringVar(&f.since, "since", "", "only later lines: 10m, 2h, 3d, or a time such as \"2026-11-21 12:00\"")
	set.StringVar(&f.until, "until", "", "only earlier lines, as --since")
	set.IntVar(&f.boot, "boot", 0, "only of one boot: 0 this one, -1 the one before (default all)")
	set.StringVar(&f.priority, "priority", "", "only this or graver: "+strings.Join(priorities, ", ")+", or 0 to 7")
	set.StringVar(&f.grep, "grep", "", "only lines that match a regular expression")
	return f
}

// options makes the API's options of flags.
func (f *logFlags) options(services []string, now time.Time) (api.LogOptions, error) {
	o := api.LogOptions{Services: services, Tail: f.tail, Follow: f.follow, Grep: f.grep}
	var err error
	if o.Since, err = parseWhen("--since", f.since, now); err != nil {
		return o, err
	}
	if o.Until, err = parseWhen("--until", f.until, now); err != nil {
		return o, err
	}
	if f.follow && f.until != "" {
		return o, usagef("--until has no use with --follow")
	}
	if f.set.Changed("boot") {
		if f.boot > 0 {
			return o, usagef("--boot %d: want 0 for this boot, -1 for the one before, and so on", f.boot)
		}
		o.Boot = &f.boot
	}
	if f.priority != "" {
		if o.Priority, err = parsePriority(f.priority); err != nil {
			return o, err
		}
	}
	return o, nil
}

// priorities of syslog(3), by number.
var priorities = []string{"emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"}

func parsePriority(text string) (*int, error) {
	n := slices.Index(priorities, map[string]string{"error": "err", "warn": "warning"}[text])
	if n < 0 {
		n = slices.Index(priorities, text)
	}
	if number, err := strconv.Atoi(text); err == nil && number >= 0 && number < len(priorities) {
		n = number
	}
	if n < 0 {
		return nil, usagef("--priority %s: want one of %s, or 0 to 7", text, strings.Join(priorities, ", "))
	}
	return &n, nil
}

// parseWhen reads a time, or how long ago it was. An empty text is no time.
func parseWhen(flag, text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.ParseFloat(days, 64); err == nil && n >= 0 {
			return now.Add(-time.Duration(n * float64(24*time.Hour))), nil
		}
	}
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02 15:04:05", "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, text, now.Location()); err == nil {
			return t, nil
		}
	}
	for _, layout := range []string{"15:04:05", "15:04"} { // of today
		if t, err := time.ParseInLocation(layout, text, now.Location()); err == nil {
			return time.Date(now.Year(), now.Month(), now.Day(), t.Hour(), t.Minute(), t.Second(), 0, now.Location()), nil
		}
	}
	return time.Time{}, usagef("%s %q: want how long ago (90s, 10m, 2h, 3d) or a time (2026-11-21, \"2026-11-21 12:00\", 12:00)", flag, text)
}

// serviceLogs shows what one service says as it says it; of several, whose line
// it is.
func serviceLogs(set *pflag.FlagSet) action {
	f := bindLogFlags(set)
	times := set.BoolP("timestamps", "t", false, "show when each line was written")
	return func(ctx context.Context, s *session, args []string) error {
		return s.logs(ctx, f, args, func(l api.LogLine) string {
			text := s.paint(l)
			if len(args) > 1 {
				text = s.colored(cyan, l.Service) + ": " + text
			}
			if *times {
				text = s.colored(faint, stamp(l)) + " " + text
			}
			return text
		})
	}
}

func allLogs(set *pflag.FlagSet) action {
	f := bindLogFlags(set)
	return func(ctx context.Context, s *session, args []string) error {
		boot := ""
		return s.logs(ctx, f, args, func(l api.LogLine) string {
			text := fmt.Sprintf("%s %s: %s", s.colored(faint, stamp(l)), s.colored(cyan, l.Service), s.paint(l))
			if boot != "" && l.BootID != boot {
				text = s.colored(faint, "-- boot "+l.BootID+" --") + "\n" + text
			}
			boot = l.BootID
			return text
		})
	}
}

func stamp(l api.LogLine) string { return l.Time.UTC().Format("2006-01-02T15:04:05.000Z") }

// Colours, as SGR parameters (ECMA-48).
const (
	red    = "31"
	yellow = "33"
	cyan   = "36"
	faint  = "2"
)

func (s *session) colored(color, text string) string {
	if !s.color {
		return text
	}
	return "\x1b[" + color + "m" + text + "\x1b[0m"
}

// paint gives a line in the colour of its priority. On a terminal it holds
// nothing that could do more there than be seen: logs are written by anyone.
func (s *session) paint(l api.LogLine) string {
	text := l.Line
	if s.terminal {
		text = visible(text)
	}
	switch {
	case l.Priority <= 3:
		return s.colored(red, text)
	case l.Priority == 4:
		return s.colored(yellow, text)
	}
	return text
}

// visible shows control characters but the tab as ^X, as cat -v does.
func visible(text string) string {
	if strings.IndexFunc(text, hidden) < 0 {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		switch {
		case !hidden(r):
			b.WriteRune(r)
		case r < ' ':
			b.WriteString("^" + string('@'+r))
		default:
			fmt.Fprintf(&b, "\\u%04x", r)
		}
	}
	return b.String()
}

func hidden(r rune) bool { return unicode.IsControl(r) && r != '\t' }

// logs prints lines as they come. In JSON it is an array, or with --follow,
// which has no end, one object a line.
func (s *session) logs(ctx context.Context, f *logFlags, services []string, text func(api.LogLine) string) error {
	o, err := f.options(services, s.now())
	if err != nil {
		return err
	}
	out := s.stream(o.Follow)
	err = s.client().Logs(ctx, o, func(l api.LogLine) error {
		if s.json() {
			return out.add(l)
		}
		s.printf("%s\n", text(l))
		return nil
	})
	if o.Follow && ctx.Err() != nil {
		return nil // that is how following ends
	}
	if err != nil {
		return fmt.Errorf("logs: %w", err)
	}
	return out.end()
}

// jsonStream prints a list of unknown length as it comes.
type jsonStream struct {
	s     *session
	lines bool // one value a line, without brackets
	n     int
}

func (s *session) stream(lines bool) *jsonStream { return &jsonStream{s: s, lines: lines} }

func (j *jsonStream) add(v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	before := map[bool]string{true: "[\n  ", false: ",\n  "}[j.n == 0]
	if j.lines {
		before = ""
		data = append(data, '\n')
	}
	j.n++
	j.s.printf("%s%s", before, data)
	return nil
}

// end closes the list, if JSON was wanted.
func (j *jsonStream) end() error {
	switch {
	case !j.s.json() || j.lines:
	case j.n == 0:
		j.s.printf("[]\n")
	default:
		j.s.printf("\n]\n")
	}
	return nil
}
