package service

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/testudo-os/testudo/pkg/strictyaml"
)

// laid loads base with over on it, as two sources.
func laid(t *testing.T, base, over string) (Service, []error) {
	t.Helper()
	set := Load(Options{}, files("/sys", map[string]string{"a.yaml": "services:\n  a:\n" + indent(base)}),
		files("/user", map[string]string{"x.yaml": "services:\n  a:\n" + indent(over)}))
	if len(set.Services) != 1 {
		t.Fatalf("got %s, %v", set.names(), set.Problems)
	}
	return set.Services[0], set.Problems
}

func TestLaterDeclarationsAreLaidOverEarlierOnesByComposesRules(t *testing.T) {
	for _, c := range []struct{ name, base, over, want string }{
		{"a value replaces", "image: i\nmem_limit: 1m", "mem_limit: 2m", "image: i\nmem_limit: 2m"},
		{"nothing changes nothing", "image: i\nmem_limit: 1m", "mem_limit:", "image: i\nmem_limit: 1m"},
		{"command and entrypoint replace", "image: i\ncommand: [a, b]\nentrypoint: x", "command: c\nentrypoint: [d]", "image: i\ncommand: [c]\nentrypoint: [d]"},
		{"a health test replaces, the rest of it merges", "image: i\nhealthcheck: {test: [CMD, a, b], retries: 7}", "healthcheck: {test: [CMD, c]}", "image: i\nhealthcheck: {test: [CMD, c], retries: 7}"},
		{"environment merges, list over mapping", "image: i\nenvironment: {A: 1, B: 2}", "environment: [B=3, C=4]", "image: i\nenvironment: {A: 1, B: 3, C: 4}"},
		{"labels merge, mapping over list", "image: i\nlabels: [a=1, b]", "labels: {b: x}", "image: i\nlabels: {a: 1, b: x}"},
		{"sysctls merge", "image: i\nsysctls: {kernel.msgmax: 1}", "sysctls: [kernel.msgmnb=2]", "image: i\nsysctls: {kernel.msgmax: 1, kernel.msgmnb: 2}"},
		{"depends_on merges, list over mapping", "image: i\ndepends_on: {b: {required: false, condition: service_started}}", "depends_on: [c, b]", "image: i\ndepends_on: {b: {required: false, condition: service_started}, c: {}}"},
		{"depends_on merges, mapping over list", "image: i\ndepends_on: [b, c]", "depends_on: {c: {required: false}}", "image: i\ndepends_on: {b: {}, c: {required: false}}"},
		{"volumes are known by their target", "image: i\nvolumes: [/a:/b, /c:/d]", "volumes: ['/x:/b/:ro', {type: bind, source: /y, target: /d}, /z:/z]", "image: i\nvolumes: [/x:/b:ro, {type: bind, source: /y, target: /d}, /z:/z]"},
		{"tmpfs, one and many", "image: i\ntmpfs: /run:size=1m", "tmpfs: ['/run:size=2m', /tmp]", "image: i\ntmpfs: ['/run:size=2m', /tmp]"},
		{"devices are known by their target", "image: i\ndevices: [/dev/a:/dev/x]", "devices: [/dev/b:/dev/x, /dev/c]", "image: i\ndevices: [/dev/b:/dev/x, /dev/c]"},
		{"env_file adds", "image: i\nenv_file: /a", "env_file: [{path: /b, required: false}]", "image: i\nenv_file: [/a, {path: /b, required: false}]"},
		{"capabilities add", "image: i\ncap_drop: [ALL]\ncap_add: [CHOWN]", "cap_add: [KILL, CHOWN]", "image: i\ncap_drop: [ALL]\ncap_add: [CHOWN, KILL]"},
		{"ulimits merge by name", "image: i\nulimits: {nofile: {soft: 1, hard: 5}, core: 0}", "ulimits: {nofile: {soft: 2}, nproc: 3}", "image: i\nulimits: {nofile: {soft: 2, hard: 5}, core: 0, nproc: 3}"},
		{"x-ros merges", "image: i\nx-ros: {essential: true, priority: 3}", "x-ros: {priority: 4}", "image: i\nx-ros: {essential: true, priority: 4}"},
		{"!reset takes away", "image: i\nmem_limit: 1m\ncap_add: [CHOWN]\nenvironment: {A: 1, B: 2}", "mem_limit: !reset null\ncap_add: !reset []\nenvironment: {A: !reset null}", "image: i\nenvironment: {B: 2}"},
		{"!override replaces whole", "image: i\nenvironment: {A: 1}\nvolumes: [/a:/a]\nx-ros: {essential: true}", "environment: !override {B: 2}\nvolumes: !override [/b:/b]\nx-ros: !override {priority: 5}", "image: i\nenvironment: {B: 2}\nvolumes: [/b:/b]\nx-ros: {priority: 5}"},
		{"tags over nothing", "image: i", "mem_limit: !reset null\npids_limit: !override 5\nhealthcheck: {test: x, retries: !reset null}", "image: i\npids_limit: 5\nhealthcheck: {test: x}"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, problems := laid(t, c.base, c.over)
			for _, p := range problems {
				if !strings.Contains(p.Error(), "no service of that name") {
					t.Error(p)
				}
			}
			if len(got.Layers) != 2 || got.Layers[0].Label != "sys" || got.Layers[1].Place.Row() != "/user/x.yaml:2" || got.Source != "/sys/a.yaml:2" {
				t.Errorf("layers %v, source %s", got.Layers, got.Source)
			}
			f, err := ParseFile("/sys/a.yaml", []byte("services:\n  a:\n"+indent(c.want)), nil)
			if err != nil || len(f.Services) != 1 {
				t.Fatal(err, f)
			}
			want := f.Services[0]
			got.Layers, got.Origins, want.Layers, want.Origins = nil, nil, nil, nil
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		})
	}
}

func TestEachKeyKnowsItsPlace(t *testing.T) {
	s, _ := laid(t, "image: i\nmem_limit: 1m\ndepends_on: [b]\nx-ros: {priority: 3}", "mem_limit: 2m\nuser: '1'\ndepends_on: [c]\nx-ros: {essential: true}")
	for key, want := range map[string]string{
		"image": "/sys/a.yaml:3:5", "mem_limit": "/user/x.yaml:3:5", "user": "/user/x.yaml:4:5",
		"depends_on.b": "/sys/a.yaml:5:18", "depends_on.c": "/user/x.yaml:5:18",
		"x-ros.priority": "/sys/a.yaml:6:13", "x-ros.essential": "/user/x.yaml:6:13",
	} {
		if got := s.Origins[key].String(); got != want {
			t.Errorf("%s: got %s, want %s", key, got, want)
		}
	}
}

func TestABadOverrideKeepsWhatWas(t *testing.T) {
	for over, want := range map[string]string{
		"mem_limit: lots":             "/user/x.yaml:3:16: services.a.mem_limit: found the text \"lots\"",
		"volumes: [/x:/y, 5]":         "/user/x.yaml:3:22: services.a.volumes",
		"image: !reset null":          "image is missing",
		"mem_reservation: 5m":         "/user/x.yaml:3:5: services.a: mem_reservation is above mem_limit",
		"!reset null":                 "found",
		"privileged: true":            "/user/x.yaml:3:5: services.a: privileged gives every capability",
		"volumes: !override [./x:/y]": "", // beside the file that names it
	} {
		s, problems := laid(t, "image: i\nmem_limit: 1m\ncap_add: [CHOWN]", over)
		if want == "" {
			if len(problems) > 0 || s.Volumes[0].Source != "/user/x" {
				t.Errorf("%s: got %+v, %v", over, s.Volumes, problems)
			}
			continue
		}
		if all := fmt.Sprint(problems); !strings.Contains(all, want) || !strings.Contains(all, "a is as /sys/a.yaml:2 declares it, because of the errors here") {
			t.Errorf("%s: got %s\nwant %s", over, all, want)
		}
		if s.MemLimit != 1<<20 || len(s.Layers) != 1 {
			t.Errorf("%s: got %+v", over, s)
		}
	}
}

func TestWhatAServiceExtends(t *testing.T) {
	set := Load(Options{Lookup: vars}, files("/user", map[string]string{
		"base.yaml": `
services:
  base: {image: "img:$TAG", environment: {A: 1}, stop_grace_period: 1m30s, volumes: [./data:/data], profiles: [never]}
  other: {extends: {service: base}, mem_limit: 1m}
`,
		".hidden.yml": "services: {part: {mem_limit: 5m}}",
		"web.yaml": `
configs: {page: {file: ./page.html}}
services:
  web: {extends: {file: base.yaml, service: other}, environment: [B=2], configs: [{source: page, target: /page}], profiles: !reset []}
  lean: {extends: {file: ./.hidden.yml, service: part}, image: j}
  one: {extends: two, image: i}
  two: {extends: {service: three, file: web.yaml}, image: i}
  three: {extends: one, image: i}
  sick: {extends: ill, image: i}
  ill: {imge: i}
  worse: {extends: worst, image: i}
  worst: {image: $NOPE}
`}))
	if got := set.names(); got != "lean web | base other | ill one sick three two worse worst" {
		t.Fatalf("got %s, %v", got, set.Problems)
	}
	lean, web := set.Services[0], set.Services[1]
	if lean.MemLimit != 5<<20 || lean.Image != "j" {
		t.Errorf("got %+v", lean)
	}
	if web.Image != "img:1.2" || fmt.Sprint(web.Environment) != "[A=1 B=2]" || web.StopGracePeriod != 90*time.Second || web.MemLimit != 1<<20 ||
		web.Volumes[0].Source != "/user/data" || web.Volumes[1] != (Volume{Source: "/user/page.html", Target: "/page", ReadOnly: true}) ||
		web.Source != "/user/web.yaml:4" || web.Origins["image"].File != "/user/base.yaml" {
		t.Errorf("got %+v", web)
	}
	all := fmt.Sprint(set.Problems)
	for _, want := range []string{
		"a circle: one (web.yaml) -> two (web.yaml) -> three (web.yaml) -> one (web.yaml)",
		"a circle: two (web.yaml) -> three (web.yaml) -> one (web.yaml) -> two (web.yaml)",
		"/user/web.yaml:10:9: services.sick.imge: unknown key",
		"services.worse.extends: worst (/user/web.yaml:12) has errors of its own",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("got %s\nwant %s", all, want)
		}
	}
}

func TestServicesInTheConfiguration(t *testing.T) {
	docs, err := strictyaml.Parse("cloud-config.yaml", []byte("\na: {mem_limit: 3m}\nb: {image: j, prts: 5}\n"))
	if err != nil {
		t.Fatal(err)
	}
	set := Load(Options{}, files("/sys", map[string]string{"a.yaml": "services: {a: {image: i}}"}),
		Source{Label: "configuration", Inline: []Text{{File: "cloud-config.yaml", Node: docs[0].Content[0]}}})
	if set.names() != "a |  | b" || set.Services[0].MemLimit != 3<<20 {
		t.Errorf("got %s, %+v", set.names(), set.Services)
	}
	if got := fmt.Sprint(set.Problems); !strings.Contains(got, "cloud-config.yaml:3:15: services.b.prts: unknown key") {
		t.Errorf("got %s", got)
	}
}
