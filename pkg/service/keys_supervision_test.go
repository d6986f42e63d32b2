package service

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestKeysOfSupervision(t *testing.T) {
	published := compiledSchema(t)
	defaults := Healthcheck{Interval: 30 * time.Second, Timeout: 30 * time.Second, StartInterval: 5 * time.Second, Retries: 3}
	tcp, http := defaults, defaults
	tcp.Probe = Probe{TCP: "localhost:80"}
	http.Probe, http.Interval = Probe{HTTP: "http://127.0.0.1:80/x"}, 5*time.Second
	for body, want := range map[string]Service{
		"x-ros: {watchdog: 10s, start_timeout: 1m, trial: 30s}": {Ready: ReadyStarted,
			Supervision: Supervision{Watchdog: 10 * time.Second, StartTimeout: time.Minute, Trial: 30 * time.Second}},
		`x-ros: {schedule: "30 3 * * *"}`: {Ready: ReadyExit, Supervision: Supervision{Schedule: &Schedule{Cron: "30 3 * * *"}}},
		`x-ros: {schedule: {cron: "@daily", jitter: 10m, missed: once}}`: {Ready: ReadyExit,
			Supervision: Supervision{Schedule: &Schedule{Cron: "@daily", Jitter: 10 * time.Minute, Once: true}}},
		`x-ros: {healthcheck: {tcp: "localhost:80"}}`:                                          {Ready: ReadyHealthy, Healthcheck: &tcp},
		"healthcheck: {interval: 5s}\nx-ros: {healthcheck: {http: \"http://127.0.0.1:80/x\"}}": {Ready: ReadyHealthy, Healthcheck: &http},
	} {
		f, err := ParseFile("f.yaml", []byte("services:\n  a:\n    image: i\n"+indent(body)), nil)
		if err != nil || len(f.Services) != 1 {
			t.Errorf("%s: %v %+v", body, err, f)
			continue
		}
		if err, ok := againstSchema(published, aService+indent(body)); err != nil || !ok {
			t.Errorf("%s: the schema says %v", body, err)
		}
		got := f.Services[0]
		if got.Ready != want.Ready || !reflect.DeepEqual(got.Supervision, want.Supervision) || !reflect.DeepEqual(got.Healthcheck, want.Healthcheck) {
			t.Errorf("%s: got %+v", body, got)
		}
	}
}

func TestWrongKeysOfSupervision(t *testing.T) {
	for body, want := range map[string]string{
		"x-ros: {healthcheck: {file: x}}":                          "a path that begins with /",
		`x-ros: {healthcheck: {tcp: "example.com:80"}}`:            "with an address or localhost",
		`x-ros: {healthcheck: {http: "https://127.0.0.1"}}`:        "a URL such as",
		`x-ros: {healthcheck: {file: /x, tcp: "[::1]:80"}}`:        "want one of http, tcp and file",
		"healthcheck: {test: x}\nx-ros: {healthcheck: {file: /x}}": "want one of them",
		`x-ros: {schedule: "61 * * * *"}`:                          "want five fields as in crontab(5)",
		"x-ros: {schedule: {jitter: 1s}}":                          "x-ros.schedule.cron is missing",
		"x-ros: {schedule: {cron: '@daily', missed: never}}":       `found "never"`,
		"restart: always\nx-ros: {schedule: '@daily'}":             "want no or on-failure",
		"x-ros: {schedule: '@daily', ready: started}":              "a job is ready when it is done",
		"x-ros: {watchdgo: 1s}":                                    `did you mean "watchdog"`,
	} {
		f, err := ParseFile("f.yaml", []byte("services:\n  a:\n    image: i\n"+indent(body)), nil)
		if err != nil || len(f.Invalid) != 1 || !strings.Contains(f.Invalid[0].Err.Error(), want) {
			t.Errorf("%s: %v %+v, want %q", body, err, f, want)
		}
	}
}
