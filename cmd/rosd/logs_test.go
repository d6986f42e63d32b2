package main

import (
	"bytes"
	"log/slog"
	"testing"

	"github.com/testudo-os/testudo/pkg/logs"
)

func TestWhatRosdSaysHasItsPriorityAndNotTheTimeTwice(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(newStoreHandler(&out)).With("service", "web")
	log.Info("one")
	log.Warn("two", "level", "of water")
	log.Error("three")
	want := "<6>msg=one service=web\n<4>msg=two service=web level=\"of water\"\n<3>msg=three service=web\n"
	if out.String() != want {
		t.Errorf("got  %q\nwant %q", &out, want)
	}
}

func TestLogsTakeNoMoreThanTheirShareOfTheDisk(t *testing.T) {
	for _, c := range []struct {
		name   string
		onDisk bool
		disk   int64
		want   logs.Limits
	}{
		{"a large disk", true, 1 << 40, logs.Limits{Total: 256 << 20, Service: 64 << 20, Age: logAge}},
		{"a small disk", true, 400 << 20, logs.Limits{Total: 40 << 20, Service: 10 << 20, Age: logAge}},
		{"a disk of unknown size", true, 0, logs.Limits{Total: 256 << 20, Service: 64 << 20, Age: logAge}},
		{"no disk", false, 1 << 40, logs.Limits{Total: 16 << 20, Service: 4 << 20, Age: logAge}},
	} {
		if got := logLimits(c.onDisk, c.disk); got != c.want {
			t.Errorf("%s: got %+v, want %+v", c.name, got, c.want)
		}
	}
}
