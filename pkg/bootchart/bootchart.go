// Package bootchart draws a boot as SVG: a row for each step of init and each
// service, over time, with what each waited for. It is pure: steps in, text
// out. ros imports it.
package bootchart

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"slices"
	"strings"

	"github.com/testudo-os/testudo/pkg/api"
)

// Sizes in pixels.
const (
	labels = 190 // width of the names
	plot   = 900 // width of the time axis
	row    = 22
	head   = 56
	margin = 12
	notes  = 320 // room for text behind the last bar
)

// Colours of the parts of a row.
const (
	colorInit  = "#4c78a8"
	colorWait  = "#d9d9d9"
	colorStart = "#f2c14e"
	colorReady = "#54a24b"
	colorError = "#d62728"
)

// SVG draws steps; title is written above.
func SVG(title string, steps []api.BootStep) []byte {
	steps = slices.Clone(steps)
	slices.SortStableFunc(steps, func(a, b api.BootStep) int { return cmp.Compare(begin(a), begin(b)) })
	var end int64 = 1
	for _, s := range steps {
		end = max(end, s.End)
	}
	c := chart{end: end}
	height := head + row*len(steps) + 2*margin
	c.printf(`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">`, labels+plot+notes, height)
	c.printf(`<rect width="100%%" height="100%%" fill="white"/>`)
	c.printf(`<text x="%d" y="18" font-size="14" font-weight="bold">%s</text>`, margin, escape(title))
	c.legend()
	c.axis(height)
	for i, s := range steps {
		c.step(head+row*i, s)
	}
	c.printf(`</svg>`)
	return []byte(c.text.String())
}

// begin is when a step is first seen.
func begin(s api.BootStep) int64 {
	if len(s.Waits) > 0 {
		return min(s.Waits[0].From, s.Start)
	}
	return s.Start
}

type chart struct {
	text strings.Builder
	end  int64
}

func (c *chart) printf(format string, args ...any) {
	fmt.Fprintf(&c.text, format, args...)
	c.text.WriteByte('\n')
}

// x is where a time is.
func (c *chart) x(us int64) float64 {
	return labels + float64(min(max(us, 0), c.end))*plot/float64(c.end)
}

func (c *chart) legend() {
	x := 420
	for _, part := range []struct{ color, text string }{
		{colorInit, "step of init"}, {colorWait, "waiting"}, {colorStart, "being started"}, {colorReady, "running, until ready"}, {colorError, "failed"},
	} {
		c.printf(`<rect x="%d" y="8" width="12" height="12" fill="%s"/><text x="%d" y="18">%s</text>`, x, part.color, x+17, part.text)
		x += 40 + 7*len(part.text)
	}
}

// axis draws a line at each round number of seconds.
func (c *chart) axis(height int) {
	for at := int64(0); at <= c.end; at += gap(c.end) {
		x := c.x(at)
		c.printf(`<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="#eeeeee"/>`, x, head-8, x, height-margin)
		c.printf(`<text x="%.1f" y="%d" fill="#666666" text-anchor="middle">%g s</text>`, x, head-14, float64(at)/1e6)
	}
}

// gap is the distance of lines: 1, 2 or 5 times a power of ten, so that there
// are at most ten.
func gap(end int64) int64 {
	for unit := int64(1000); ; unit *= 10 {
		for _, n := range []int64{1, 2, 5} {
			if end/(n*unit) < 10 {
				return n * unit
			}
		}
	}
}

func (c *chart) step(y int, s api.BootStep) {
	c.printf(`<text x="%d" y="%d" text-anchor="end">%s</text>`, labels-8, y+15, escape(s.Name))
	var waited []string
	for _, w := range s.Waits {
		c.bar(y, w.From, w.To, colorWait, w.Reason)
		waited = append(waited, w.Reason)
	}
	switch {
	case s.Kind == "init":
		c.bar(y, s.Start, s.End, fill(s, colorInit), took(s.Start, s.End))
	case s.Runs == 0 || s.Runs > s.End:
		c.bar(y, s.Start, s.End, fill(s, colorStart), "being started for "+took(s.Start, s.End))
	default:
		c.bar(y, s.Start, s.Runs, colorStart, "being started for "+took(s.Start, s.Runs))
		c.bar(y, s.Runs, s.End, fill(s, colorReady), "ran for "+took(s.Runs, s.End)+" until ready")
	}
	note := took(s.Start, s.End)
	if s.Error != "" {
		note += ", " + s.Error
	} else if len(waited) > 0 {
		note += ", after " + waited[len(waited)-1]
	}
	c.printf(`<text x="%.1f" y="%d" fill="#444444">%s</text>`, c.x(s.End)+6, y+15, escape(note))
}

func fill(s api.BootStep, good string) string {
	if s.Error != "" {
		return colorError
	}
	return good
}

// bar draws a time; the text is shown when one points at it.
func (c *chart) bar(y int, from, to int64, color, text string) {
	width := max(c.x(to)-c.x(from), 1)
	c.printf(`<rect x="%.1f" y="%d" width="%.1f" height="%d" fill="%s"><title>%s</title></rect>`, c.x(from), y+3, width, row-6, color, escape(text))
}

func took(from, to int64) string { return fmt.Sprintf("%.3f s", float64(to-from)/1e6) }

func escape(text string) string {
	var b strings.Builder
	// A strings.Builder does not fail.
	_ = xml.EscapeText(&b, []byte(text))
	return b.String()
}
