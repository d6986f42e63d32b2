package service

import (
	"fmt"
	"regexp"
	"strconv"

	"gopkg.in/yaml.v3"

	"github.com/testudo-os/testudo/pkg/strictyaml"
	"github.com/testudo-os/testudo/pkg/units"
)

// hostname is the service's own name of the machine it believes to be.
type hostname string

// Labels of at most 63 letters, 64 in all: HOST_NAME_MAX of hostname(7).
var hostnameForm = regexp.MustCompile(`^[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*$`)

func (h *hostname) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	var s string
	if !d.Decode(n, &s) {
		return
	}
	if len(s) > 64 || !hostnameForm.MatchString(s) {
		d.Wrong(n, "a host name: letters, digits, - and dots, at most 64")
		return
	}
	*h = hostname(s)
}

// swapLimit is a size, or -1 for no limit.
type swapLimit int64

func (l *swapLimit) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	if n.Kind == yaml.ScalarNode && n.Value == "-1" {
		*l = -1
		return
	}
	d.Decode(n, (*byteSize)(l))
}

// within decodes a whole number between two bounds.
func within(d *strictyaml.Decoder, n *yaml.Node, least, most int64) int64 {
	var v int64
	if !d.Decode(n, &v) {
		return 0
	}
	if v < least || v > most {
		d.Wrong(n, fmt.Sprintf("a number from %d to %d", least, most))
		return 0
	}
	return v
}

// Bounds of the kernel: Documentation/scheduler/sched-bwc.rst, and of the
// weight that runc makes of shares.
const (
	leastShares, mostShares = 2, 262144
	leastPeriod, mostPeriod = 1000, 1000000
	leastQuota, mostQuota   = 1000, 8192 * 1000000
)

type cpuShares int64

func (c *cpuShares) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	*c = cpuShares(within(d, n, leastShares, mostShares))
}

type cpuPeriod int64

func (c *cpuPeriod) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	*c = cpuPeriod(within(d, n, leastPeriod, mostPeriod))
}

type cpuQuota int64

func (c *cpuQuota) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	*c = cpuQuota(within(d, n, leastQuota, mostQuota))
}

// cpuset is a list of processors: 0-2,5.
type cpuset string

const cpusetPattern = `^[0-9]+(-[0-9]+)?(,[0-9]+(-[0-9]+)?)*$`

var cpusetForm = regexp.MustCompile(cpusetPattern)

func (c *cpuset) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	var text strictyaml.Text
	if !d.Decode(n, &text) {
		return
	}
	if !cpusetForm.MatchString(string(text)) {
		d.Wrong(n, `a list of processors such as "0-2,5"`)
		return
	}
	*c = cpuset(text)
}

// logging takes of Compose's what has a meaning for the OS's own log store:
// how much of the service's output is kept.
type logging struct{ limit int64 } // bytes; 0: as for all

type loggingYAML struct {
	Driver  logDriver  `yaml:"driver"`
	Options logOptions `yaml:"options"`
}

type logDriver string

func (v *logDriver) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	var s string
	if !d.Decode(n, &s) {
		return
	}
	if s != "local" && s != "json-file" {
		d.Errorf(n, "found %q, want local: all output goes to the OS's own log store (`ros logs NAME`); testudo.logging.remote sends it elsewhere as well", s)
	}
	*v = logDriver(s)
}

// logOptions are those of Docker's drivers local and json-file.
type logOptions struct{ size, files int64 } // 0: not said

func (o *logOptions) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	var all stringMap
	if !d.Decode(n, &all) {
		return
	}
	for _, name := range sortedKeys(all) {
		var err error
		switch value := all[name]; name {
		case "max-size":
			if o.size, err = units.Bytes(value); err != nil || o.size < MinLogSize {
				d.Errorf(n, "max-size: found %q, want a size of 64k or more", value)
			}
		case "max-file":
			if o.files, err = strconv.ParseInt(value, 10, 32); err != nil || o.files < 1 {
				d.Errorf(n, "max-file: found %q, want a number of 1 or more", value)
			}
		default:
			d.Errorf(n, "%s is not supported: max-size and max-file bound what is kept of a service; leave it out", name)
		}
	}
}

// MinLogSize is the least that a log can be bounded to, in bytes.
const MinLogSize = 64 << 10

// As Docker's drivers have it when they are not told.
const localMaxFile = 5

func (v *logging) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	var y loggingYAML
	if !d.Decode(n, &y) {
		return
	}
	switch o := y.Options; {
	case o.size == 0 && o.files > 0:
		d.Errorf(n, "options.max-file has no meaning without max-size")
	case o.files > 0:
		v.limit = o.size * o.files
	case y.Driver == "local":
		v.limit = o.size * localMaxFile
	default:
		v.limit = o.size
	}
}

// deployYAML is Compose's deploy, for orchestrators. Each of its keys has
// another way here.
type deployYAML struct{}

var deployRefusals = map[string]string{
	"mode":            "each service runs once on this machine; leave it out",
	"replicas":        "each service runs once on this machine; declare a second one that extends it",
	"endpoint_mode":   noNetworks,
	"placement":       "there is one machine; leave it out",
	"labels":          "write them under labels",
	"resources":       "write limits.cpus as cpus, limits.memory as mem_limit, limits.pids as pids_limit, reservations.memory as mem_reservation",
	"restart_policy":  "write it as restart (no, always, unless-stopped, on-failure:N)",
	"update_config":   "one service is changed at a time; leave it out",
	"rollback_config": "one service is changed at a time; leave it out",
}

// Refused gives the reason against each key.
func (*deployYAML) Refused(key string) string { return refusal(deployRefusals, key) }
