package bootchart

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/testudo-os/testudo/pkg/api"
)

func wellFormed(t *testing.T, svg []byte) {
	t.Helper()
	decoder := xml.NewDecoder(bytes.NewReader(svg))
	for {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatalf("%v\n%s", err, svg)
		}
	}
}

func TestEachStepShowsWhatItWaitedForStartedAndWasReady(t *testing.T) {
	svg := SVG("a <boot>", []api.BootStep{
		{Name: "ntp", Kind: "service", Waits: []api.BootWait{{Reason: "waiting for network & more", From: 1_000_000, To: 2_000_000}}, Start: 2_000_000, Runs: 2_250_000, End: 3_000_000},
		{Name: "bad", Kind: "service", Start: 1_000_000, End: 1_500_000, Error: "exit 1"},
		{Name: "mounts", Kind: "init", Start: 0, End: 300_000},
	})
	wellFormed(t, svg)
	text := string(svg)
	for _, want := range []string{
		"a &lt;boot&gt;", ">3 s<", // the title and the axis
		`<rect x="490.0" y="81" width="300.0" height="16" fill="#d9d9d9"><title>waiting for network &amp; more</title>`,
		`<rect x="790.0" y="81" width="75.0" height="16" fill="#f2c14e"><title>being started for 0.250 s</title>`,
		`<rect x="865.0" y="81" width="225.0" height="16" fill="#54a24b"><title>ran for 0.750 s until ready</title>`,
		"1.000 s, after waiting for network &amp; more", "0.500 s, exit 1",
		`<rect x="190.0" y="59" width="90.0" height="16" fill="#4c78a8">`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("there is no %s in\n%s", want, text)
		}
	}
	if strings.Index(text, ">mounts<") > strings.Index(text, ">ntp<") {
		t.Error("the first step is not the first row")
	}
	wellFormed(t, SVG("nothing", nil))
}

func TestGapsAreRound(t *testing.T) {
	for end, want := range map[int64]int64{1: 1000, 9_999: 1000, 3_000_000: 500_000, 9_000_000: 1_000_000, 10_000_000: 2_000_000, 61_000_000: 10_000_000} {
		if got := gap(end); got != want {
			t.Errorf("of %d: %d, want %d", end, got, want)
		}
	}
}
