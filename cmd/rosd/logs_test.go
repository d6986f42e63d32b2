package main

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/testudo-os/testudo/pkg/config"
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

func TestTheConfigurationBoundsTheLogs(t *testing.T) {
	cfg, err := config.Parse("f", []byte("testudo: {logging: {max_size: 1G, max_age: 2w, services: {docker: {max_size: 400M}, kernel: {max_age: 3d}}}}"))
	if err != nil {
		t.Fatal(err)
	}
	logging := cfg.Testudo.Logging
	base := logs.Limits{Total: 10, Service: 2, Age: logAge}
	if got, want := asConfigured(base, logging), (logs.Limits{Total: 1 << 30, Service: 1 << 28, Age: 14 * 24 * time.Hour}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := asConfigured(base, config.Logging{}); got != base {
		t.Errorf("with nothing said: %+v", got)
	}
	own := ownLimits(logging)
	if own["docker"] != (logs.Limit{Size: 400 << 20}) || own["kernel"] != (logs.Limit{Age: 72 * time.Hour}) {
		t.Errorf("%+v", own)
	}
	for text, says := range map[string]string{
		"max_size: 1K": "f:1:31: testudo.logging.max_size: found the text \"1K\", want a size of 64K or more", "max_size: big": "want a size", "max_age: 5m": "an hour or more",
		"max_age: forever": "an hour or more", "services: {'a/b': {max_size: 1M}}": "want the name of a service", "services: {a: {max_sise: 1M}}": "did you mean",
	} {
		if _, err := config.Parse("f", []byte("testudo: {logging: {"+text+"}}")); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %s", text, err, says)
		}
	}
}
