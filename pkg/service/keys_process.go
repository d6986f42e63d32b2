package service

import (
	"fmt"
	"math"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/testudo-os/testudo/pkg/strictyaml"
)

// commandLine is a list of words, or one text that is split as a shell would.
type commandLine []string

func (c *commandLine) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	if strictyaml.IsNull(n) {
		return // Compose: the image's own
	}
	if n.Kind == yaml.SequenceNode {
		var words []strictyaml.Text
		if !d.Decode(n, &words) {
			return
		}
		*c = make(commandLine, len(words))
		for i, w := range words {
			(*c)[i] = string(w)
		}
		return
	}
	var line string
	if !d.Decode(n, &line) {
		return
	}
	words, err := SplitCommand(line)
	if err != nil {
		d.Errorf(n, "%v", err)
		return
	}
	*c = words
}

// stringMap is a mapping, or a list of KEY=VALUE.
type stringMap map[string]string

func (m *stringMap) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	pairs, ok := keyValues(d, n)
	if !ok {
		return
	}
	*m = stringMap{}
	for _, p := range pairs {
		(*m)[p.key] = p.value
	}
}

type keyValue struct {
	key, value string
	set        bool // false: the key stands alone
}

// keyValues reads a mapping of scalars or a list of KEY=VALUE.
func keyValues(d *strictyaml.Decoder, n *yaml.Node) (out []keyValue, ok bool) {
	if strictyaml.IsNull(n) {
		return nil, true
	}
	if n.Kind == yaml.MappingNode {
		pairs, _ := d.Pairs(n)
		ok = true
		for _, p := range pairs {
			if strictyaml.IsNull(p.Value) {
				out = append(out, keyValue{key: p.Name})
				continue
			}
			var value strictyaml.Text
			ok = d.DecodeAt(p.Name, p.Value, &value) && ok
			out = append(out, keyValue{p.Name, string(value), true})
		}
		return out, ok
	}
	elements, ok := d.Elements(n, "a mapping, or a list of KEY=VALUE")
	seen := map[string]bool{}
	for i, e := range elements {
		var text string
		if !d.DecodeAt(fmt.Sprintf("[%d]", i), e, &text) {
			ok = false
			continue
		}
		key, value, set := strings.Cut(text, "=")
		if key == "" || seen[key] {
			d.Errorf(e, "found %q, want KEY=VALUE with a key that stands there once", text)
			ok = false
			continue
		}
		seen[key] = true
		out = append(out, keyValue{key, value, set})
	}
	return out, ok
}

// environment is KEY=VALUE, sorted. A key without a value is passed on from
// the environment in Compose; the OS has none to pass on.
type environment []string

func (v *environment) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	pairs, ok := keyValues(d, n)
	if !ok {
		return
	}
	for _, p := range pairs {
		if !p.set {
			d.Errorf(n, "%s has no value: write %s= for an empty one, or ${%s} for a variable of the machine's configuration", p.key, p.key, p.key)
			return
		}
		if strings.ContainsAny(p.key, "= \x00") || strings.Contains(p.value, "\x00") {
			d.Errorf(n, "%q cannot be a variable", p.key)
			return
		}
		*v = append(*v, p.key+"="+p.value)
	}
	slices.Sort(*v)
}

// envFiles is one path or a list of paths and {path, required}.
type envFiles []EnvFile

func (f *envFiles) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	elements := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		elements = n.Content
	}
	for i, e := range elements {
		var one struct {
			Path     string `yaml:"path"`
			Required bool   `yaml:"required"`
		}
		one.Required = true
		var ok bool
		step := fmt.Sprintf("[%d]", i)
		if strictyaml.Resolve(e).Kind == yaml.ScalarNode {
			ok = d.DecodeAt(step, e, &one.Path)
		} else {
			ok = d.DecodeAt(step, e, &one)
		}
		if !ok {
			continue
		}
		file, ok := hostPath(d.FileOf(e), one.Path)
		if !ok {
			d.Errorf(e, "found %q, want a path that begins with / or ./", one.Path)
			continue
		}
		*f = append(*f, EnvFile{Path: file, Required: one.Required})
	}
}

// hostPath makes a path of the host absolute: ./x and ../x are beside the file
// that names them, if that is one: user data of a cloud has no place. (A service
// file that is checked offline may be named relative to where one works.)
func hostPath(file, p string) (string, bool) {
	if path.IsAbs(p) {
		return path.Clean(p), true
	}
	ext := path.Ext(file)
	placed := filepath.IsAbs(file) || ext == ".yaml" || ext == ".yml"
	if (strings.HasPrefix(p, "./") || strings.HasPrefix(p, "../")) && placed {
		return path.Join(path.Dir(file), p), true
	}
	return "", false
}

// restartPolicy is no, always, unless-stopped, on-failure or on-failure:N.
type restartPolicy Restart

func (r *restartPolicy) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	const want = "no, always, unless-stopped, on-failure or on-failure:N"
	var text strictyaml.Text
	if !d.Decode(n, &text) {
		return
	}
	policy, count, counted := strings.Cut(string(text), ":")
	switch {
	case policy == "false" && !counted: // YAML 1.1 tools write no so
		policy = "no"
	case policy == "on-failure":
		if counted {
			max, err := strconv.Atoi(count)
			if err != nil || max < 1 {
				d.Wrong(n, want)
				return
			}
			r.MaxRetries = max
		}
	case counted || !slices.Contains([]string{"no", "always", "unless-stopped"}, policy):
		d.Wrong(n, want)
		return
	}
	r.Policy = policy
}

// dependencies is a list of names or a mapping of name to condition.
type dependencies []Dependency

type dependencyYAML struct {
	Condition condition `yaml:"condition"`
	Required  bool      `yaml:"required"`
	Restart   bool      `yaml:"restart"`
}

type condition Condition

func (c *condition) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	*c = condition(word(d, n, string(Started), string(ReadyCondition), string(Healthy), string(CompletedSuccessfully)))
}

func (l *dependencies) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	if strictyaml.IsNull(n) {
		return
	}
	if n.Kind == yaml.SequenceNode {
		for i, e := range n.Content {
			var name string
			if d.DecodeAt(fmt.Sprintf("[%d]", i), e, &name) {
				*l = append(*l, Dependency{Name: name, Condition: ReadyCondition, Required: true})
			}
		}
	} else {
		pairs, _ := d.Pairs(n)
		for _, p := range pairs {
			one := dependencyYAML{Condition: condition(ReadyCondition), Required: true}
			d.DecodeAt(p.Name, p.Value, &one)
			*l = append(*l, Dependency{Name: p.Name, Condition: Condition(one.Condition), Required: one.Required, Restart: one.Restart})
		}
	}
	slices.SortFunc(*l, func(a, b Dependency) int { return strings.Compare(a.Name, b.Name) })
	for i := 1; i < len(*l); i++ {
		if (*l)[i].Name == (*l)[i-1].Name {
			d.Errorf(n, "%s stands there twice", (*l)[i].Name)
		}
	}
}

// healthcheckYAML is Compose's healthcheck.
type healthcheckYAML struct {
	Test          healthTest `yaml:"test"`
	Disable       bool       `yaml:"disable"`
	Interval      duration   `yaml:"interval"`
	Timeout       duration   `yaml:"timeout"`
	StartPeriod   duration   `yaml:"start_period"`
	StartInterval duration   `yaml:"start_interval"`
	Retries       uint16     `yaml:"retries"`
}

type healthTest []string

func (t *healthTest) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	if n.Kind == yaml.ScalarNode {
		var line string
		if d.Decode(n, &line) {
			*t = healthTest{"CMD-SHELL", line}
		}
		return
	}
	var words []string
	if !d.Decode(n, &words) {
		return
	}
	switch {
	case len(words) == 1 && words[0] == "NONE":
	case len(words) >= 2 && words[0] == "CMD":
	case len(words) == 2 && words[0] == "CMD-SHELL":
	default:
		d.Errorf(n, `want a shell command, ["CMD", PROGRAM, ARGUMENT...], ["CMD-SHELL", COMMAND] or ["NONE"]`)
		return
	}
	*t = words
}

func (h *healthcheckYAML) healthcheck() *Healthcheck {
	if h.Disable || len(h.Test) == 1 {
		return nil
	}
	or := func(d duration, def time.Duration) time.Duration {
		if d > 0 {
			return d.std()
		}
		return def
	}
	retries := int(h.Retries)
	if retries == 0 {
		retries = 3
	}
	return &Healthcheck{Test: h.Test, Interval: or(h.Interval, 30*time.Second), Timeout: or(h.Timeout, 30*time.Second),
		StartPeriod: h.StartPeriod.std(), StartInterval: or(h.StartInterval, 5*time.Second), Retries: retries}
}

// duration is Compose's: 1m30s, never negative.
type duration time.Duration

func (t duration) std() time.Duration { return time.Duration(t) }

func (t *duration) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	var v time.Duration
	if !d.Decode(n, &v) {
		return
	}
	if v < 0 {
		d.Wrong(n, "a time of 0s or more")
		return
	}
	*t = duration(v)
}

type readyYAML Ready

func (r *readyYAML) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	*r = readyYAML(word(d, n, string(ReadyStarted), string(ReadyHealthy), string(ReadyNotify), string(ReadyExit)))
}

// scope is where the service runs.
type scope string

func (s *scope) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	*s = scope(word(d, n, ScopeSystem, ScopeUser))
}

type oomScore int

func (o *oomScore) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	var v int
	if !d.Decode(n, &v) {
		return
	}
	if v < -1000 || v > 1000 {
		d.Wrong(n, "a number from -1000 to 1000")
		return
	}
	*o = oomScore(v)
}

// cpus is a number of processors, in quotes or not.
type cpus float64

func (c *cpus) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	var text strictyaml.Text
	if !d.Decode(n, &text) {
		return
	}
	v, err := strconv.ParseFloat(string(text), 64)
	if err != nil || v < 0 || v > 8192 || math.IsNaN(v) {
		d.Wrong(n, "a number of processors such as 0.5")
		return
	}
	*c = cpus(v)
}
