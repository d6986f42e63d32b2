// Package termsvg draws what a terminal said as an SVG picture: text in a
// window. It understands the colours of SGR sequences and drops every
// other escape sequence. It is for the documentation's pictures; nothing that
// runs in the guest imports it.
package termsvg

import (
	"fmt"
	"html"
	"io"
	"regexp"
	"strings"
)

// Picture says how the window looks.
type Picture struct {
	Title   string
	Columns int // longer lines are cut; 0: 100
	Rows    int // the last rows are shown; 0: all
}

const (
	charWidth  = 8.4 // of a 14 px monospace font
	lineHeight = 19
	margin     = 14
	titleBar   = 34
)

// Write draws the lines.
func (p Picture) Write(w io.Writer, lines []string) error {
	columns := p.Columns
	if columns == 0 {
		columns = 100
	}
	if p.Rows > 0 && len(lines) > p.Rows {
		lines = lines[len(lines)-p.Rows:]
	}
	rows := len(lines)
	width := int(float64(columns)*charWidth) + 2*margin
	height := rows*lineHeight + titleBar + margin
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace" font-size="14">`+"\n", width, height, width, height)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" rx="8" fill="#11161d"/>`+"\n", width, height)
	for i, c := range []string{"#ff5f57", "#febc2e", "#28c840"} {
		fmt.Fprintf(&b, `<circle cx="%d" cy="17" r="6" fill="%s"/>`+"\n", 18+20*i, c)
	}
	fmt.Fprintf(&b, `<text x="%d" y="22" fill="#8b949e" text-anchor="middle">%s</text>`+"\n", width/2, html.EscapeString(p.Title))
	fmt.Fprintf(&b, `<svg y="%d" width="%d" height="%d"><g xml:space="preserve" fill="#d0d7de">`+"\n", titleBar, width, rows*lineHeight)
	for i, l := range lines {
		drawLine(&b, i, l, columns)
	}
	b.WriteString("</g></svg>\n</svg>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// drawLine draws one line, as wide as its characters are many: also where the
// reader's font is wider or narrower than ours, columns stand below each other.
func drawLine(b *strings.Builder, row int, text string, columns int) {
	line, drawn := "", 0
	for _, s := range spans(text) {
		runes := []rune(s.text)
		runes = runes[:min(len(runes), columns-drawn)]
		drawn += len(runes)
		escaped := html.EscapeString(string(runes))
		if s.colour != "" {
			escaped = fmt.Sprintf(`<tspan fill="%s">%s</tspan>`, s.colour, escaped)
		}
		line += escaped
	}
	if drawn == 0 {
		return
	}
	fmt.Fprintf(b, `<text x="%d" y="%d" textLength="%.1f">%s</text>`+"\n", margin, row*lineHeight+15, float64(drawn)*charWidth, line)
}

type span struct {
	text   string
	colour string // "" = default
}

var (
	escape = regexp.MustCompile(`\x1b(\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)?|[@-Z\\^_=>c78])`)
	colour = map[string]string{
		"31": "#ff7b72", "32": "#3fb950", "33": "#d29922", "34": "#58a6ff", "35": "#bc8cff", "36": "#39c5cf", "37": "#f0f6fc",
		"90": "#8b949e", "91": "#ffa198", "92": "#56d364", "93": "#e3b341", "94": "#79c0ff", "95": "#d2a8ff", "96": "#56d4dd", "97": "#ffffff",
	}
)

// spans splits a line where its colour changes and drops what does not print.
func spans(line string) []span {
	var out []span
	now := ""
	add := func(text string) {
		text = strings.Map(func(r rune) rune {
			if r == '\t' {
				return ' '
			}
			if r < ' ' || r == 0x7f {
				return -1
			}
			return r
		}, text)
		if text != "" {
			out = append(out, span{text, now})
		}
	}
	for {
		at := escape.FindStringIndex(line)
		if at == nil {
			add(line)
			return out
		}
		add(line[:at[0]])
		seq := line[at[0]:at[1]]
		if strings.HasSuffix(seq, "m") && strings.HasPrefix(seq, "\x1b[") {
			now = sgr(now, seq[2:len(seq)-1])
		}
		line = line[at[1]:]
	}
}

// sgr is the colour after a "select graphic rendition" sequence.
func sgr(now, params string) string {
	for _, p := range strings.Split(params, ";") {
		switch c, ok := colour[strings.TrimLeft(p, "0")]; {
		case ok:
			now = c
		case strings.Trim(p, "0") == "" || p == "39":
			now = ""
		case p == "1" || p == "01":
			if now == "" {
				now = "#ffffff"
			}
		}
	}
	return now
}
