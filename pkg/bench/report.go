package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// Report is one run of the bench.
type Report struct {
	Date    time.Time `json:"date"`
	Accel   string    `json:"wall_time_with"`
	Method  string    `json:"method"`
	Append  string    `json:"kernel_arguments"`
	Results []*Result `json:"results"`
	Aims    []Aim     `json:"aims"`
}

const method = `Counted: QEMU gives the guest one virtual nanosecond for each instruction (-accel tcg,thread=single
-icount shift=0,sleep=off, one CPU, no disk), time runs from the start of the kernel. Wall: two CPUs, the
machine otherwise as busy as it was; compare within a run only. One program, started by the kernel and
left behind in every system, asks for ssh (127.0.0.1:22 greets) and the user runtime (Docker: /_ping,
containerd: HTTP/2 SETTINGS) every 10 ms, reads memory (MemTotal - MemAvailable) 30 s after the last
answer, and sends PID 1 the signal to power off. Memory is that of counted runs, Debian's with a disk.
Counted figures are medians, with [least..most] of their runs; wall time is of one run.`

// Run measures the subjects one after the other.
func (b *Bench) Run(ctx context.Context, subjects []Subject, o Options, fresh bool) (*Report, error) {
	rep := &Report{
		Date: time.Now().UTC().Truncate(time.Second), Accel: string(b.Accel), Method: method,
		Append: strings.TrimSpace(kernelArguments + " " + b.Append),
	}
	for _, s := range subjects {
		var r *Result
		if !fresh {
			r = b.remembered(s, o)
		}
		if r == nil {
			var err error
			if r, err = b.Measure(ctx, s, o); err != nil {
				return nil, err
			}
			if err := b.remember(s, r); err != nil {
				return nil, fmt.Errorf("keep the figures of %s: %w", s.Name, err)
			}
		}
		rep.Results = append(rep.Results, r)
	}
	rep.finish()
	return rep, nil
}

// finish fills in what depends on several subjects.
func (rep *Report) finish() {
	byName := map[string]*Result{}
	for _, r := range rep.Results {
		byName[r.Name] = r
	}
	if bare, ok := byName[Bare]; ok {
		for _, r := range rep.Results {
			compare(r, bare, SSHAt, InitAt, SSHRatio, func(a, b float64) float64 { return a / b })
			if r != bare {
				compare(r, bare, MemoryIdle, MemoryIdle, MemoryAbove, func(a, b float64) float64 { return a - b })
			}
		}
	}
	rep.Aims = judge(byName)
}

// compare makes a figure of two. f grows with a and shrinks with b, so the ends
// of its range come from opposite ends of theirs.
func compare(r, bare *Result, of, with, to Figure, f func(a, b float64) float64) {
	a, ok := r.Figures[of]
	b, ok2 := bare.Figures[with]
	if !ok || !ok2 {
		return
	}
	r.Figures[to] = f(a, b)
	x, y := r.reach(of), bare.reach(with)
	if x.Low != x.High || y.Low != y.High {
		r.Spread[to] = Range{f(x.Low, y.High), f(x.High, y.Low)}
	}
}

// cell prints a figure, and the range of its runs where that shows.
func (r *Result) cell(c column) string {
	v, ok := r.Figures[c.figure]
	if !ok {
		return "-"
	}
	text := fmt.Sprintf("%.*f", c.decimals, v)
	if s, ok := r.Spread[c.figure]; ok {
		low, high := fmt.Sprintf("%.*f", c.decimals, s.Low), fmt.Sprintf("%.*f", c.decimals, s.High)
		if low != high {
			text = fmt.Sprintf("%s [%s..%s]", text, low, high)
		}
	}
	return text
}

// JSON writes the report for programs.
func (rep *Report) JSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(rep)
}

// Print writes the report for people.
func (rep *Report) Print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight|tabwriter.Debug)
	row := func(title string, cell func(r *Result) string) {
		fmt.Fprintf(t, "%-42s\t", title)
		for _, r := range rep.Results {
			fmt.Fprintf(t, " %s\t", cell(r))
		}
		fmt.Fprintln(t)
	}
	row("", func(r *Result) string { return r.Title })
	row("", func(r *Result) string {
		if r.Cached == "" {
			return ""
		}
		return "of " + r.Cached
	})
	for _, c := range columns() {
		row(c.title, func(r *Result) string { return r.cell(c) })
	}
	if err := t.Flush(); err != nil {
		return err
	}
	return rep.printRest(w)
}

func (rep *Report) printRest(w io.Writer) error {
	var s strings.Builder
	for _, r := range rep.Results {
		if len(r.Listeners) > 0 {
			fmt.Fprintf(&s, "\n%s listens on: %s", r.Title, strings.Join(r.Listeners, ", "))
		}
		if n := len(r.SetuidOf); n > 0 {
			fmt.Fprintf(&s, "\n%s has setuid or setgid: %s", r.Title, strings.Join(r.SetuidOf, ", "))
		}
		for _, p := range r.Problems {
			fmt.Fprintf(&s, "\n%s: NOT MEASURED: %s", r.Title, p)
		}
	}
	for _, r := range rep.Results {
		if len(r.Work) > 0 {
			fmt.Fprintf(&s, "\n\nProcessor time of %s until ssh answered, s: %s", r.Title, sharesText(r.Work))
		}
	}
	for _, r := range rep.Results {
		if len(r.Images) == 0 {
			continue
		}
		fmt.Fprintf(&s, "\n\nImages of %s, MiB (packed / plain; shared layers count in each):", r.Title)
		for _, i := range r.Images {
			fmt.Fprintf(&s, "\n  %-28s %7.1f / %.1f", i.Name, float64(i.Packed)/mib, float64(i.Plain)/mib)
		}
	}
	s.WriteString("\n\nAims:\n")
	for _, a := range rep.Aims {
		fmt.Fprintf(&s, "  %-13s %-62s at most %6.2f %-3s  is %6.2f  %s\n", a.Subject, a.What, a.Limit, a.Unit, a.Value, a.Verdict())
	}
	fmt.Fprintf(&s, "\nWall time with %s. Kernel arguments: %s\n%s\n", rep.Accel, rep.Append, rep.Method)
	_, err := io.WriteString(w, s.String())
	return err
}

// sharesText leaves out who did next to nothing.
func sharesText(shares []Share) string {
	var parts []string
	for _, w := range shares {
		if w.Seconds >= 0.01 {
			parts = append(parts, fmt.Sprintf("%s %.2f", w.Name, w.Seconds))
		}
	}
	return strings.Join(parts, ", ")
}
