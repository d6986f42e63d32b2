package datasource

import (
	"fmt"
	"slices"
	"strings"
)

// Candidate is a source that is worth asking.
type Candidate struct {
	Source Source
	Reason string
	Needs  Needs
}

// Passed is a source that is not asked.
type Passed struct {
	Name, Reason string
}

// Plan says whom to ask, the most specific first, and why the others are not.
type Plan struct {
	Request    Request
	Candidates []Candidate
	Passed     []Passed
	Problems   []string
}

// Choose decides from facts which of sources to ask. The order of sources is
// the order of preference: what somebody put there on purpose before what a
// cloud gives everyone. A request that names sources is obeyed: they are asked
// without any fact that speaks for them, and nobody else is.
func Choose(f *Facts, sources []Source) Plan {
	request, problems := Requests(f)
	p := Plan{Request: request, Problems: problems}
	for _, name := range request.Names {
		if !slices.ContainsFunc(sources, func(s Source) bool { return s.Name() == name }) {
			p.Problems = append(p.Problems, fmt.Sprintf("%s: there is no datasource %q, want one of %s, a URL or none",
				request.From, name, strings.Join(names(sources), ", ")))
		}
	}
	if len(request.Names) > 0 {
		sources = slices.Clone(sources)
		slices.SortStableFunc(sources, func(a, b Source) int {
			return place(request.Names, a.Name()) - place(request.Names, b.Name())
		})
	}
	for _, s := range sources {
		m := s.Detect(f)
		switch {
		case request.Off:
			p.Passed = append(p.Passed, Passed{s.Name(), request.From + " wants none"})
		case slices.Contains(request.Names, s.Name()):
			reason := "named by " + request.From
			if m.Found {
				reason += ", and " + m.Reason
			}
			p.Candidates = append(p.Candidates, Candidate{s, reason, m.Needs})
		case len(request.Names) > 0:
			p.Passed = append(p.Passed, Passed{s.Name(), request.From + " names others"})
		case m.Found:
			p.Candidates = append(p.Candidates, Candidate{s, m.Reason, m.Needs})
		default:
			p.Passed = append(p.Passed, Passed{s.Name(), m.Reason})
		}
	}
	return p
}

// Local are the candidates that can be asked at once, Remote the others.
func (p Plan) Local() []Candidate  { return p.needing(true) }
func (p Plan) Remote() []Candidate { return p.needing(false) }

func (p Plan) needing(nothing bool) []Candidate {
	var out []Candidate
	for _, c := range p.Candidates {
		if (c.Needs == Nothing) == nothing {
			out = append(out, c)
		}
	}
	return out
}

func names(sources []Source) []string {
	out := make([]string, len(sources))
	for i, s := range sources {
		out[i] = s.Name()
	}
	return out
}

// place is where name stands in the list, or behind its end.
func place(list []string, name string) int {
	if i := slices.Index(list, name); i >= 0 {
		return i
	}
	return len(list)
}
