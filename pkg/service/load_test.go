package service

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
)

func files(path string, texts map[string]string) Source {
	m := fstest.MapFS{}
	for name, text := range texts {
		m[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return Source{Label: path[1:], Dir: Dir{Path: path, FS: m}}
}

// names writes a set as "a b | disabled c | invalid d".
func (set *Set) names() string {
	var good, disabled, invalid []string
	for _, s := range set.Services {
		good = append(good, s.Name)
	}
	for _, s := range set.Disabled {
		disabled = append(disabled, s.Name)
	}
	for _, i := range set.Invalid {
		invalid = append(invalid, i.Name)
	}
	return fmt.Sprintf("%s | %s | %s", strings.Join(good, " "), strings.Join(disabled, " "), strings.Join(invalid, " "))
}

func TestLoad(t *testing.T) {
	for name, c := range map[string]struct {
		system, user map[string]string
		names        string
		problems     []string // one each, in any order
	}{
		"nothing is there": {nil, nil, " |  | ", nil},
		"other files and hidden ones are left alone": {map[string]string{"a.yaml": "services: {a: {image: i}}", "b.yml": "services: {b: {image: i}}", "README.md": "x: [", ".c.yaml": "x: ["}, nil,
			"a b |  | ", nil},
		"one folder declares a service once": {map[string]string{"a.yaml": "services: {a: {image: i}}", "b.yaml": "services: {a: {image: j}}"}, nil, "a |  | ",
			[]string{"/sys/b.yaml:1:12: services.a: /sys/a.yaml:1 declares a service of this name already"}},
		"a part of a service is none":   {nil, map[string]string{"a.yaml": "services: {a: {mem_limit: 1m}}"}, " |  | a", []string{"/user/a.yaml:1:12: services.a: image is missing"}},
		"a later declaration wins":      {map[string]string{"a.yaml": "services: {a: {image: i}}"}, map[string]string{"x.yaml": "services: {a: {image: later}}"}, "a |  | ", nil},
		"a bad file spoils no other":    {map[string]string{"a.yaml": "services: {a: {image: i}}", "b.yaml": "x: ["}, nil, "a |  | ", []string{"/sys/b.yaml:1:"}},
		"a bad service spoils no other": {map[string]string{"a.yaml": "services: {a: {image: i}, b: {imge: i}}"}, nil, "a |  | b", []string{`did you mean "image"`}},
		"a bad declaration does not replace a good one": {map[string]string{"a.yaml": "services: {a: {image: i}}"}, map[string]string{"x.yaml": "services: {a: {imge: i}}"},
			"a |  | ", []string{"/user/x.yaml:1:", "a is as /sys/a.yaml:1 declares it"}},
		"a good one replaces a bad one": {map[string]string{"a.yaml": "services: {a: {imge: i}}"}, map[string]string{"x.yaml": "services: {a: {image: i}}"},
			"a |  | ", []string{"/sys/a.yaml:1:"}},
		"profiles": {map[string]string{"a.yaml": "services: {a: {image: i, profiles: [on, x]}, b: {image: i, profiles: [off]}}"}, nil, "a | b | ", nil},
		"a circle": {map[string]string{"a.yaml": "services: {a: {image: i, depends_on: [b]}, b: {image: i, depends_on: [c]}, c: {image: i, depends_on: [a]}, d: {image: i, depends_on: [a]}, e: {image: i}}"}, nil,
			"d e |  | a b c", []string{"a circle: a -> b -> c -> a", "a circle: b -> c -> a -> b", "a circle: c -> a -> b -> c", "services.d.depends_on.a: is invalid; d waits"}},
		"an optional circle is one too": {map[string]string{"a.yaml": "services: {a: {image: i, depends_on: {b: {required: false}}}, b: {image: i, depends_on: [a]}}"}, nil,
			" |  | a b", []string{"a circle: a -> b -> a", "a circle: b -> a -> b"}},
		"two circles": {map[string]string{"a.yaml": "services: {a: {image: i, depends_on: [b]}, b: {image: i, depends_on: [a, c]}, c: {image: i, depends_on: [b]}}"}, nil,
			" |  | a b c", []string{"a -> b -> a", "b -> a -> b", "c -> b -> c"}},
		"a dependency on nobody": {map[string]string{"a.yaml": "services: {network: {image: i}, b: {image: i, depends_on: [netwrk]}}"}, nil,
			"b network |  | ", []string{"services.b.depends_on.netwrk: no service of that name is declared (did you mean network?); b waits for it"}},
		"an optional dependency on nobody": {map[string]string{"a.yaml": "services: {b: {image: i, depends_on: {x: {required: false}}}}"}, nil, "b |  | ", nil},
		"a dependency on a disabled one": {map[string]string{"a.yaml": "services: {a: {image: i, profiles: [off]}, b: {image: i, depends_on: [a]}}"}, nil,
			"b | a | ", []string{"is disabled: none of its profiles (off) is active"}},
		"health without a healthcheck": {map[string]string{"a.yaml": "services: {a: {image: i}, b: {image: i, depends_on: {a: {condition: service_healthy}}}}"}, nil,
			"a |  | b", []string{"service_healthy, but a has no healthcheck"}},
		"completion of what is always restarted": {map[string]string{"a.yaml": "services: {a: {image: i, restart: always}, b: {image: i, depends_on: {a: {condition: service_completed_successfully}}}}"}, nil,
			"a |  | b", []string{"restarted whenever it ends"}},
	} {
		t.Run(name, func(t *testing.T) {
			set := Load(Options{Profiles: []string{"on"}}, files("/sys", c.system), files("/user", c.user))
			if got := set.names(); got != c.names {
				t.Errorf("got %s, want %s", got, c.names)
			}
			if len(set.Problems) != len(c.problems) {
				t.Errorf("got %d problems, want %d", len(set.Problems), len(c.problems))
			}
			all := fmt.Sprint(set.Problems)
			for _, want := range c.problems {
				if !strings.Contains(all, want) {
					t.Errorf("got  %s\nwant %s", all, want)
				}
			}
			for _, i := range set.Invalid {
				if i.Reason() == "" || strings.Contains(i.Reason(), "\n") {
					t.Errorf("%s: reason %q", i.Name, i.Reason())
				}
			}
		})
	}
}

func TestAReasonIsOneLine(t *testing.T) {
	f, err := ParseFile("f", []byte("services: {a: {imge: i, prts: 5}}"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := f.Invalid[0].Reason(); !strings.HasSuffix(got, `did you mean "image"?) (and 1 more error)`) {
		t.Errorf("got %q", got)
	}
}

func TestWhatIsWanted(t *testing.T) {
	builtIn := files("/sys", map[string]string{"a.yaml": "services: {a: {image: i}, b: {image: i, profiles: [p, q]}}"})
	catalog := files("/catalog", map[string]string{"c.yaml": "services: {c: {image: i}}"})
	catalog.Optional = true
	user := files("/user", map[string]string{"c.yaml": "services: {c: {mem_limit: 1m}}"})
	for _, c := range []struct {
		o     Options
		names string
	}{
		{Options{}, "a | b c | "},
		{Options{Profiles: []string{"q"}}, "a b | c | "},
		{Options{Enable: []string{"c"}}, "a c | b | "},
		{Options{Enable: []string{"b"}}, "a b | c | "},
		{Options{Disable: []string{"a", "nobody"}}, " | a b c | "},
		{Options{Enable: []string{"a", "c"}, Disable: []string{"a"}}, "c | a b | "},
	} {
		set := Load(c.o, builtIn, catalog, user)
		if got := set.names(); got != c.names {
			t.Errorf("%+v: got %s, want %s", c.o, got, c.names)
		}
		for _, s := range set.Disabled {
			if s.Off == "" {
				t.Errorf("%s is off, and nothing says why", s.Name)
			}
		}
	}
}
