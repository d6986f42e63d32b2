package units

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestBytes(t *testing.T) {
	for in, want := range map[string]int64{"0": 0, "1": 1, "1b": 1, "2k": 2048, "2KB": 2048, "1.5m": 3 << 19, "1 GiB": 1 << 30, "2t": 2 << 40} {
		if got, err := Bytes(in); err != nil || got != want {
			t.Errorf("%q: got %d, %v, want %d", in, got, err, want)
		}
	}
	for _, in := range []string{"", "m", "-1", "1e3", "5x", "0x10", "99999999t", strings.Repeat("9", 400)} {
		if got, err := Bytes(in); err == nil {
			t.Errorf("%q: got %d, want an error", in, got)
		}
	}
}

func FuzzBytes(f *testing.F) {
	for _, s := range []string{"0", "512m", "1.5gb", "1 KiB", "9999999999t", ".5", "1e3"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := Bytes(s)
		if err != nil {
			return
		}
		if n < 0 {
			t.Errorf("%q is %d bytes", s, n)
		}
		if again, err := Bytes(fmt.Sprint(n)); err != nil || again != n {
			t.Errorf("%q: %d bytes read back as %d, %v", s, n, again, err)
		}
	})
}

func TestSpan(t *testing.T) {
	for in, want := range map[string]time.Duration{
		"90d": 90 * day, "1w2d12h": 9*day + 12*time.Hour, "5m": 5 * time.Minute, "0s": 0, "1s1s": 2 * time.Second, "36500d": longestSpan,
	} {
		if got, err := Span(in); err != nil || got != want {
			t.Errorf("%q gave %v (%v), want %v", in, got, err, want)
		}
	}
	for _, in := range []string{"", "90", "d", "1.5d", "-1d", "1 d", "1y", "1d ", "36501d", "999999999w", "1234567890s"} {
		if got, err := Span(in); err == nil {
			t.Errorf("%q gave %v", in, got)
		}
	}
}

func FuzzSpan(f *testing.F) {
	for _, s := range []string{"90d", "1w2d12h", "0s", "999999999w999999999w"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		span, err := Span(s)
		if err != nil {
			return
		}
		if span < 0 || span > longestSpan {
			t.Errorf("%q gave %v", s, span)
		}
		if again, err := Span(fmt.Sprintf("%ds", span/time.Second)); span < 1e9*time.Second && (err != nil || again != span) {
			t.Errorf("%q gave %v, which reads as %v (%v)", s, span, again, err)
		}
	})
}
