package service

import (
	"fmt"
	"regexp"

	"gopkg.in/yaml.v3"

	"github.com/testudo-os/testudo/pkg/strictyaml"
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

// logging is refused but for what is so anyway: all output goes to the OS's
// own log store.
type logging struct{}

type loggingYAML struct {
	Driver  logDriver `yaml:"driver"`
	Options stringMap `yaml:"options"`
}

type logDriver string

func (v *logDriver) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	var s string
	if d.Decode(n, &s) && s != "local" && s != "json-file" {
		d.Errorf(n, "found %q, want local: all output goes to the OS's own log store (`ros logs NAME`); testudo.syslog.remote forwards the system's log", s)
	}
}

func (*logging) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	var y loggingYAML
	if !d.Decode(n, &y) {
		return
	}
	for _, name := range sortedKeys(y.Options) {
		d.Errorf(n, "options.%s is not supported: the OS's log store is bounded for all services alike; leave it out", name)
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
