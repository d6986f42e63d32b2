package bench

import (
	"bufio"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Mark is a moment that the probe told about.
type Mark struct {
	At   time.Duration // since the kernel started
	Busy time.Duration // of it, what the processors did not idle; negative: unknown
}

// Log is what a serial log holds for us.
type Log struct {
	Marks     map[string]Mark
	Facts     map[string][]string
	PowerOff  time.Duration // kernel's stamp of the request
	PowerDown time.Duration // kernel's stamp of its last line
}

// Mark names. The others are named by what answers: ssh, docker, containerd.
const (
	markInit     = "init" // the first instruction of user space
	markIdle     = "idle"
	markPowerOff = "poweroff"
)

// stamped finds a kernel line wherever a login prompt left the cursor.
var stamped = regexp.MustCompile(`\[ *(\d{1,9})\.(\d{6})\] (BENCH [^\r\n]*|reboot: Power down)`)

// ParseLog reads a serial log. What it does not know it leaves out.
func ParseLog(r io.Reader) (Log, error) {
	l := Log{Marks: map[string]Mark{}, Facts: map[string][]string{}}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		m := stamped.FindStringSubmatch(lines.Text())
		if m == nil {
			continue
		}
		stamp, err := micros(m[1] + m[2])
		if err != nil {
			return l, fmt.Errorf("serial log: %q: %w", m[0], err)
		}
		if m[3] == "reboot: Power down" {
			l.PowerDown = stamp
			continue
		}
		if err := l.add(stamp, strings.Fields(m[3])[1:]); err != nil {
			return l, fmt.Errorf("serial log: %q: %w", m[0], err)
		}
	}
	if err := lines.Err(); err != nil {
		return l, fmt.Errorf("serial log: %w", err)
	}
	return l, nil
}

func (l *Log) add(stamp time.Duration, words []string) error {
	switch {
	case len(words) == 4 && words[0] == "mark":
		at, err := micros(words[2])
		if err != nil {
			return err
		}
		busy, err := micros(words[3])
		if err != nil {
			return err
		}
		l.Marks[words[1]] = Mark{at, busy}
		if words[1] == markPowerOff {
			l.PowerOff = stamp
		}
	case len(words) >= 2 && words[0] == "fact":
		l.Facts[words[1]] = append(l.Facts[words[1]], strings.Join(words[2:], " "))
	}
	return nil
}

func micros(s string) (time.Duration, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0, err
	}
	return time.Duration(n) * time.Microsecond, nil
}

// number is a fact that is a number.
func (l Log) number(name string) (float64, error) {
	v := l.Facts[name]
	if len(v) != 1 {
		return 0, fmt.Errorf("the probe said %d times what %s is", len(v), name)
	}
	n, err := strconv.ParseFloat(v[0], 64)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", name, err)
	}
	return n, nil
}

// memory is what an idle machine uses of what its kernel has, in MiB.
func (l Log) memory() (float64, error) {
	total, err := l.number("MemTotal")
	if err != nil {
		return 0, err
	}
	available, err := l.number("MemAvailable")
	return (total - available) / 1024, err
}
