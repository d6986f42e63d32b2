package service

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/testudo-os/testudo/pkg/strictyaml"
	"github.com/testudo-os/testudo/pkg/units"
)

// volumes is a list of SOURCE:TARGET[:OPTIONS] or of mappings.
type volumes struct {
	binds []Volume
	tmpfs []Tmpfs
}

func (v *volumes) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	if strictyaml.IsNull(n) {
		return
	}
	elements, ok := d.Elements(n, "a list")
	if !ok {
		return
	}
	targets := map[string]bool{}
	for i, e := range elements {
		var one volume
		if !d.DecodeAt(fmt.Sprintf("[%d]", i), e, &one) {
			continue
		}
		target := one.bind.Target
		if one.tmpfs != nil {
			target = one.tmpfs.Target
			v.tmpfs = append(v.tmpfs, *one.tmpfs)
		} else {
			v.binds = append(v.binds, one.bind)
		}
		if targets[target] {
			d.Errorf(e, "%s is mounted twice", target)
		}
		targets[target] = true
	}
}

type volume struct {
	bind  Volume
	tmpfs *Tmpfs
}

func (v *volume) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	if n.Kind == yaml.ScalarNode {
		v.short(d, n)
		return
	}
	v.long(d, n)
}

var propagations = []string{"private", "rprivate", "shared", "rshared", "slave", "rslave"}

func (v *volume) short(d *strictyaml.Decoder, n *yaml.Node) {
	var text string
	if !d.Decode(n, &text) {
		return
	}
	parts := strings.Split(text, ":")
	if len(parts) < 2 || len(parts) > 3 {
		d.Wrong(n, "SOURCE:TARGET or SOURCE:TARGET:OPTIONS")
		return
	}
	v.bind = Volume{CreateHostPath: true, Recursive: true}
	if !v.places(d, n, parts[0], parts[1]) || len(parts) == 2 {
		return
	}
	for _, o := range strings.Split(parts[2], ",") {
		switch {
		case o == "ro":
			v.bind.ReadOnly = true
		case o == "rw":
		case o == "noexec":
			v.bind.NoExec = true
		case slices.Contains(propagations, o):
			v.bind.Propagation = recursive(o)
		case o == "z" || o == "Z":
			d.Errorf(n, "the option %s is for SELinux, which Testudo does not have", o)
		default:
			d.Errorf(n, "unknown option %q%s", o, strictyaml.Suggest(o, append([]string{"ro", "rw", "noexec"}, propagations...)))
		}
	}
}

// recursive turns a propagation into the form for a whole tree: what is bound
// is bound with all that is mounted below it.
func recursive(p string) string {
	if strings.HasPrefix(p, "r") {
		return p
	}
	return "r" + p
}

// places checks and sets the two ends of a bind.
func (v *volume) places(d *strictyaml.Decoder, n *yaml.Node, source, target string) bool {
	if !path.IsAbs(target) || path.Clean(target) == "/" {
		d.Errorf(n, "found %q as the target, want a path that begins with / and is not /", target)
		return false
	}
	host, ok := hostPath(d.FileOf(n), source)
	if !ok {
		d.Errorf(n, "found %q as the source, want a path that begins with / or ./; %s", source, noNamed)
		return false
	}
	v.bind.Source, v.bind.Target = host, path.Clean(target)
	return true
}

type volumeYAML struct {
	Type     volumeType `yaml:"type"`
	Source   string     `yaml:"source"`
	Target   string     `yaml:"target"`
	ReadOnly bool       `yaml:"read_only"`
	Bind     struct {
		Propagation    propagation `yaml:"propagation"`
		CreateHostPath bool        `yaml:"create_host_path"`
		Recursive      bindDepth   `yaml:"recursive"`
		NoExec         bool        `yaml:"x-noexec"`
	} `yaml:"bind"`
	Tmpfs struct {
		Size byteSize `yaml:"size"`
		Mode fileMode `yaml:"mode"`
	} `yaml:"tmpfs"`
}

// Refused names the keys of Compose that are not taken here.
func (*volumeYAML) Refused(key string) string {
	return refusal(map[string]string{
		"volume":      noNamed,
		"image":       "images are not mounted into services; put the files into the service's own image",
		"consistency": "it is for Docker Desktop; leave it out",
		"cluster":     noNamed,
	}, key)
}

type volumeType string

func (t *volumeType) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	*t = volumeType(word(d, n, "bind", "tmpfs", "volume", "image", "npipe", "cluster"))
	if *t == "volume" {
		d.Errorf(n, "volume is not supported: %s", noNamed)
	} else if *t != "" && *t != "bind" && *t != "tmpfs" {
		d.Errorf(n, "%s is not supported, want bind or tmpfs", string(*t))
	}
}

type propagation string

func (p *propagation) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	if o := word(d, n, propagations...); o != "" {
		*p = propagation(recursive(o))
	}
}

type bindDepth bool

func (b *bindDepth) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	*b = word(d, n, "enabled", "disabled") == "enabled"
}

// fileMode is octal, as in Compose: 1777, 0755 or 0o755.
type fileMode uint32

func (m *fileMode) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	var text strictyaml.Text
	if !d.Decode(n, &text) {
		return
	}
	v, err := parseMode(string(text))
	if err != nil {
		d.Wrong(n, "an octal mode such as 0755")
		return
	}
	*m = fileMode(v)
}

func parseMode(s string) (uint32, error) {
	v, err := strconv.ParseUint(strings.TrimPrefix(s, "0o"), 8, 32)
	if err == nil && v > 0o7777 {
		err = fmt.Errorf("mode %s is more than 7777", s)
	}
	return uint32(v), err
}

func (v *volume) long(d *strictyaml.Decoder, n *yaml.Node) {
	var y volumeYAML
	// Compose: the long form makes the folder only when asked.
	y.Bind.Recursive = true
	if !d.Decode(n, &y) {
		return
	}
	switch y.Type {
	case "":
		d.Errorf(n, "type is missing: want bind or tmpfs")
	case "tmpfs":
		if y.Source != "" || y.ReadOnly {
			d.Errorf(n, "a tmpfs has no source and is not read-only")
			return
		}
		if !path.IsAbs(y.Target) || path.Clean(y.Target) == "/" {
			d.Errorf(n, "found %q as the target, want a path that begins with / and is not /", y.Target)
			return
		}
		v.tmpfs = &Tmpfs{Target: path.Clean(y.Target), Size: int64(y.Tmpfs.Size), Mode: uint32(y.Tmpfs.Mode)}
	default:
		v.bind = Volume{ReadOnly: y.ReadOnly, Propagation: string(y.Bind.Propagation), CreateHostPath: y.Bind.CreateHostPath,
			Recursive: bool(y.Bind.Recursive), NoExec: y.Bind.NoExec}
		v.places(d, n, y.Source, y.Target)
	}
}

// tmpfsList is one TARGET[:OPTIONS] or a list of them.
type tmpfsList []Tmpfs

func (l *tmpfsList) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	if strictyaml.IsNull(n) {
		return
	}
	elements := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		elements = n.Content
	}
	for i, e := range elements {
		var text string
		if !d.DecodeAt(fmt.Sprintf("[%d]", i), e, &text) {
			continue
		}
		t, err := parseTmpfs(text)
		if err != nil {
			d.Errorf(e, "%v", err)
			continue
		}
		*l = append(*l, t)
	}
}

func parseTmpfs(text string) (Tmpfs, error) {
	target, options, _ := strings.Cut(text, ":")
	if !path.IsAbs(target) || path.Clean(target) == "/" {
		return Tmpfs{}, fmt.Errorf("found %q, want a path that begins with / and is not /", target)
	}
	t := Tmpfs{Target: path.Clean(target)}
	for _, o := range strings.FieldsFunc(options, func(r rune) bool { return r == ',' }) {
		name, value, _ := strings.Cut(o, "=")
		switch name {
		case "size":
			size, err := units.Bytes(value)
			if err != nil {
				return Tmpfs{}, err
			}
			t.Size = size
		case "mode":
			mode, err := parseMode(value)
			if err != nil {
				return Tmpfs{}, fmt.Errorf("mode %q: want octal digits such as 0755", value)
			}
			t.Mode = mode
		case "nosuid", "nodev", "noexec", "rw": // Docker's own defaults
		default:
			return Tmpfs{}, fmt.Errorf("unknown option %q%s", o, strictyaml.Suggest(name, []string{"size", "mode"}))
		}
	}
	return t, nil
}
