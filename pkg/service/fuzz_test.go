package service

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// Whatever is laid over a good service, the set stays whole: each name once,
// the good service or a better one, and a reason for each refusal.
func FuzzLaidOver(f *testing.F) {
	const base = "services: {a: {image: i, environment: {A: 1}, volumes: [/a:/b], depends_on: [b], tmpfs: /t, x-ros: {priority: 3}}, b: {image: i}}"
	for _, over := range []string{
		"services: {a: {environment: !override [B=2], volumes: [/c:/b:ro], depends_on: {b: {required: false}}}}",
		"services: {a: !reset null}", "services: {a: {image: !reset , x-ros: !override {}}}",
		"services: {a: {extends: b}, b: {extends: {file: x.yaml, service: a}}}",
		"configs: {c: {file: ./c}}\nservices: {a: {configs: [c], tmpfs: [/t:size=1, /u], ulimits: {nofile: 1}}}",
		"x: &x {labels: [a=b]}\nservices: {a: {<<: *x}, c: {<<: *x, image: j, command: !override [a]}}",
	} {
		f.Add(over)
	}
	f.Fuzz(func(t *testing.T, over string) {
		set := Load(Options{Lookup: vars}, files("/sys", map[string]string{"a.yaml": base}), files("/user", map[string]string{"x.yaml": over}))
		seen := map[string]bool{}
		see := func(name string) {
			if seen[name] {
				t.Errorf("%s is there twice", name)
			}
			seen[name] = true
		}
		for _, s := range slices.Concat(set.Services, set.User, set.Disabled) {
			see(s.Name)
			if s.Image == "" || len(s.Layers) == 0 || s.Hash() == "" {
				t.Errorf("a bad service passed: %+v", s)
			}
		}
		for _, i := range set.Invalid {
			see(i.Name)
			if i.Reason() == "" {
				t.Errorf("%s is invalid without a reason", i.Name)
			}
		}
		if !seen["a"] || !seen["b"] {
			t.Errorf("a built-in service is lost: %s", set.names())
		}
		for _, finding := range set.Findings(nil) {
			if finding.Message == "" {
				t.Errorf("a finding says nothing: %+v", finding)
			}
		}
	})
}

func FuzzValues(f *testing.F) {
	f.Add("1m30s", "/a:/b:ro", "/t:size=1m,mode=0755", "on-failure:3", "0-2,5", "SIGRTMIN+3")
	f.Add("0", "a:/b", "t", "no", "0", "15")
	f.Fuzz(func(t *testing.T, grace, volume, tmpfs, restart, cpuset, signal string) {
		quoted := func(s string) string { return "'" + strings.NewReplacer("'", "''", "$", "$$").Replace(s) + "'" }
		text := fmt.Sprintf("services: {a: {image: i, stop_grace_period: %s, volumes: [%s], tmpfs: %s, restart: %s, cpuset: %s, stop_signal: %s}}",
			quoted(grace), quoted(volume), quoted(tmpfs), quoted(restart), quoted(cpuset), quoted(signal))
		file, err := ParseFile("/d/f.yaml", []byte(text), nil)
		if err != nil || len(file.Services) == 0 {
			return
		}
		s := file.Services[0]
		if s.Scope == ScopeUser { // a named volume: docker compose judges the rest
			return
		}
		if d, err := time.ParseDuration(grace); err != nil || d != s.StopGracePeriod || d < 0 {
			t.Errorf("%q became %v", grace, s.StopGracePeriod)
		}
		for _, v := range s.Volumes {
			if !strings.HasPrefix(v.Source, "/") || !strings.HasPrefix(v.Target, "/") || v.Target == "/" {
				t.Errorf("%q became %+v", volume, v)
			}
		}
		if s.Restart.MaxRetries < 0 || s.Tmpfs[0].Size < 0 || s.Tmpfs[0].Mode > 0o7777 {
			t.Errorf("%q and %q became %+v and %+v", restart, tmpfs, s.Restart, s.Tmpfs)
		}
	})
}
