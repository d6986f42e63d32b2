package bench

import "slices"

// Range is the least and the most of several runs.
type Range struct {
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// samples are the values that each figure had, run by run.
type samples map[Figure][]float64

func (s samples) add(f Figure, v float64) { s[f] = append(s[f], v) }

// settle makes each figure the median of its runs and keeps their range. Of an
// even number of runs it is the higher of the two in the middle: for every
// figure here more is worse.
func (r *Result) settle(s samples) {
	for f, values := range s {
		sorted := slices.Sorted(slices.Values(values))
		r.Figures[f] = sorted[len(sorted)/2]
		if len(sorted) > 1 {
			r.Spread[f] = Range{sorted[0], sorted[len(sorted)-1]}
		}
	}
}

// reach is a figure's range, or the figure itself when it was taken once.
func (r *Result) reach(f Figure) Range {
	if s, ok := r.Spread[f]; ok {
		return s
	}
	return Range{r.Figures[f], r.Figures[f]}
}
