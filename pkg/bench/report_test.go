package bench

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func TestTheReportShowsEachFigureBesideTheBareKernels(t *testing.T) {
	rep := &Report{Accel: "tcg", Results: []*Result{
		{Name: Bare, Title: "bare kernel", Spread: map[Figure]Range{}, Figures: map[Figure]float64{InitAt: 1.5, MemoryIdle: 100}},
		{Name: TestudoCore, Title: "Testudo", Cached: "2026-11-21", Spread: map[Figure]Range{}, Figures: map[Figure]float64{SSHAt: 3, MemoryIdle: 180},
			Problems: []string{"plain run: it broke"}},
	}}
	rep.finish()
	var text, data bytes.Buffer
	if err := rep.Print(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"2.00", "80|", "of 2026-11-21", "NOT MEASURED: plain run: it broke", "MISSED by 0.60 s"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, text.String())
		}
	}
	if err := rep.JSON(&data); err != nil {
		t.Fatal(err)
	}
	var back Report
	if err := json.Unmarshal(data.Bytes(), &back); err != nil || back.Results[1].Figures[MemoryAbove] != 80 {
		t.Errorf("JSON does not hold the figures: %v\n%s", err, data.String())
	}
}

func TestEveryFigureOfTheTableHasATitleOfItsOwn(t *testing.T) {
	titles := map[string]bool{}
	for _, c := range columns() {
		if titles[c.title] || c.title == "" {
			t.Errorf("%s has the title %q again", c.figure, c.title)
		}
		titles[c.title] = true
	}
}
