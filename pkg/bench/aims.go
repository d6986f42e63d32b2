package bench

import "fmt"

// Aim is a figure that was promised. Limit is computed from the figures of the
// same run where it can be.
type Aim struct {
	What    string  `json:"what"`
	Subject string  `json:"subject"`
	Value   float64 `json:"value"`
	Limit   float64 `json:"limit"`
	Unit    string  `json:"unit"`
	Met     bool    `json:"met"`
	Runs    Range   `json:"runs"`              // of Value
	Unknown string  `json:"unknown,omitempty"` // why it cannot be judged
}

// Names of the subjects that aims speak of.
const (
	Bare          = "bare"
	DebianName    = "debian"
	DebianDocker  = "debian-docker"
	TestudoCore   = "testudo-core"
	TestudoDocker = "testudo"
)

// linuxKitRatio is when ssh answered in the LinuxKit-style image that was
// measured before this bench was written, as a multiple of the bare kernel's
// time there: 7.3 s to 1.97 s.
const linuxKitRatio = 7.3 / 1.97

type aim struct {
	what     string
	subjects []string
	figure   Figure
	unit     string
	factor   float64 // of the reference's figure, or the limit itself without one
	of       string  // reference subject
	ofFigure Figure
}

func aims() []aim {
	both, core, docker := []string{TestudoCore, TestudoDocker}, []string{TestudoCore}, []string{TestudoDocker}
	return []aim{
		{"ssh answers in 1.6 times the bare kernel's time", both, SSHAt, "s", 1.6, Bare, InitAt},
		{"ssh answers 4 times sooner than Debian's", both, SSHAt, "s", 0.25, DebianName, SSHAt},
		{"ssh answers twice sooner than the LinuxKit-style image's", both, SSHAt, "s", linuxKitRatio / 2, Bare, InitAt},
		{"idle memory without the user runtime above the bare kernel's", core, MemoryAbove, "MiB", 100, "", ""},
		{"power off", both, PowerOff, "s", 1, "", ""},
		{"boots to ssh without the user runtime in", core, MemoryLeast, "MiB", 192, "", ""},
		{"boots to ssh with the user runtime in", docker, MemoryLeast, "MiB", 384, "", ""},
		{"a service starts in 1.1 times ctr run's time", core, ServiceStart, "s", 1.1, TestudoCore, CtrStart},
		{"rosd with 10 services", core, ManagerFew, "MiB", 24, "", ""},
		{"all but the user runtime, compressed", core, ShippedZstd, "MiB", 64, "", ""},
		{"all but the user runtime, compressed: the next aim", core, ShippedZstd, "MiB", 48, "", ""},
	}
}

// judge holds the aims against what was measured.
func judge(results map[string]*Result) []Aim {
	var judged []Aim
	for _, a := range aims() {
		for _, name := range a.subjects {
			r, ok := results[name]
			if !ok {
				continue // that one was not asked for
			}
			judged = append(judged, a.judge(name, r, results))
		}
	}
	return judged
}

func (a aim) judge(name string, r *Result, results map[string]*Result) Aim {
	j := Aim{What: a.what, Subject: name, Limit: a.factor, Unit: a.unit}
	if a.of != "" {
		reference, ok := results[a.of]
		if !ok {
			j.Unknown = a.of + " was not measured"
			return j
		}
		v, ok := reference.Figures[a.ofFigure]
		if !ok {
			j.Unknown = fmt.Sprintf("no %s of %s", a.ofFigure, a.of)
			return j
		}
		j.Limit = a.factor * v
	}
	v, ok := r.Figures[a.figure]
	if !ok {
		j.Unknown = fmt.Sprintf("no %s", a.figure)
		return j
	}
	j.Value, j.Met, j.Runs = v, v <= j.Limit, r.reach(a.figure)
	return j
}

// Verdict is an aim's result in words.
func (a Aim) Verdict() string {
	if a.Unknown != "" {
		return "not judged: " + a.Unknown
	}
	word, by := "met", a.Limit-a.Value
	if !a.Met {
		word, by = "MISSED", -by
	}
	if a.Limit == 0 {
		return fmt.Sprintf("%s by %.2f %s", word, by, a.Unit)
	}
	verdict := fmt.Sprintf("%s by %.2f %s (%.0f %%)", word, by, a.Unit, 100*by/a.Limit)
	if a.Runs.Low <= a.Limit && a.Limit < a.Runs.High {
		verdict += fmt.Sprintf(", but not in every run: %.2f to %.2f", a.Runs.Low, a.Runs.High)
	}
	return verdict
}
