package bench

import (
	"strings"
	"testing"
	"time"
)

const sampleLog = "SeaBIOS\r\n" +
	"[    1.454193] BENCH mark init 1452267 -1\r\n" +
	"[    1.500000] BENCH mark probe 1498000 1498000\r\n" +
	"debian login: [   11.798851] BENCH mark ssh 11796984 11386984\r\n" +
	"[   42.842609] BENCH fact MemTotal 1004032\r\n" +
	"[   42.842626] BENCH fact MemAvailable 800000\r\n" +
	"[   42.843448] BENCH fact listen tcp/0.0.0.0:22\r\n" +
	"[   42.843460] BENCH fact listen tcp6/[::]:22\r\n" +
	"[   42.886749] BENCH mark idle 42884900 13374900\r\n" +
	"[   42.886859] BENCH mark poweroff 42884984 13374984\r\n" +
	"[   43.890061] reboot: Power down\r\n"

func TestMarksFactsAndStampsAreReadFromASerialLog(t *testing.T) {
	l, err := ParseLog(strings.NewReader(sampleLog))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := l.Marks["ssh"], (Mark{11796984 * time.Microsecond, 11386984 * time.Microsecond}); got != want {
		t.Errorf("ssh = %v, want %v", got, want)
	}
	if got, want := l.PowerDown-l.PowerOff, 1003202*time.Microsecond; got != want {
		t.Errorf("power off took %v, want %v", got, want)
	}
	if got := strings.Join(l.Facts["listen"], " "); got != "tcp/0.0.0.0:22 tcp6/[::]:22" {
		t.Errorf("listeners = %q", got)
	}
	memory, err := l.memory()
	if err != nil || memory != (1004032.0-800000)/1024 {
		t.Errorf("memory = %v, %v", memory, err)
	}
	if err := l.complete(Subject{SSH: true}); err != nil {
		t.Errorf("a whole log is called incomplete: %v", err)
	}
}

func TestALogThatLacksSomethingIsNotComplete(t *testing.T) {
	for missing, want := range map[string]string{
		"BENCH mark ssh":    "no mark ssh",
		"BENCH mark idle":   "no mark idle",
		"reboot: Power":     "did not power down",
		"nothing, but more": "gave-up: [docker]",
	} {
		var kept strings.Builder
		for line := range strings.Lines(sampleLog) {
			if !strings.Contains(line, missing) {
				kept.WriteString(line)
			}
		}
		if missing == "nothing, but more" {
			kept.WriteString("[  300.000000] BENCH fact gave-up [docker]\n")
		}
		l, err := ParseLog(strings.NewReader(kept.String()))
		if err != nil {
			t.Fatal(err)
		}
		if err := l.complete(Subject{SSH: true}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("without %q: %v, want %q", missing, err, want)
		}
	}
}

func FuzzParseLog(f *testing.F) {
	f.Add(sampleLog)
	f.Add("[    1.000000] BENCH mark\n[ 1.000000] BENCH fact\n[ 1.000000] BENCH \n")
	f.Add("[999999999.999999] BENCH mark a 99999999999999999999 1\n")
	f.Fuzz(func(t *testing.T, text string) {
		l, err := ParseLog(strings.NewReader(text))
		if err != nil {
			return
		}
		for name := range l.Marks {
			if name == "" || strings.ContainsAny(name, " \n") {
				t.Errorf("a mark is called %q", name)
			}
		}
	})
}
