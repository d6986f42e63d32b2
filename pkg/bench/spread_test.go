package bench

import "testing"

func TestAFigureIsTheMedianOfItsRunsWithTheirRange(t *testing.T) {
	for _, c := range []struct {
		values    []float64
		want      float64
		low, high float64
	}{
		{[]float64{185, 202, 190}, 190, 185, 202},
		{[]float64{5}, 5, 5, 5},
		{[]float64{1, 3}, 3, 1, 3},
	} {
		r := newResult(Subject{})
		r.settle(samples{MemoryIdle: c.values})
		if got := r.Figures[MemoryIdle]; got != c.want || r.reach(MemoryIdle) != (Range{c.low, c.high}) {
			t.Errorf("%v: %v in %v, want %v in %v..%v", c.values, got, r.reach(MemoryIdle), c.want, c.low, c.high)
		}
	}
}

func TestADifferenceIsAsUncertainAsBothItsParts(t *testing.T) {
	bare, r := newResult(Subject{Name: Bare}), newResult(Subject{Name: TestudoCore})
	bare.settle(samples{MemoryIdle: {101, 104, 102}})
	r.settle(samples{MemoryIdle: {185, 202, 190}})
	(&Report{Results: []*Result{bare, r}}).finish()
	if got := r.Figures[MemoryAbove]; got != 88 || r.Spread[MemoryAbove] != (Range{81, 101}) {
		t.Errorf("above = %v in %v, want 88 in 81..101", got, r.Spread[MemoryAbove])
	}
}
