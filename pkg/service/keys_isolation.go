package service

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/testudo-os/testudo/pkg/strictyaml"
	"github.com/testudo-os/testudo/pkg/units"
)

type networkMode string

func (m *networkMode) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	var s string
	if !d.Decode(n, &s) {
		return
	}
	switch {
	case s == "host" || s == "none":
		*m = networkMode(s)
	case s == "bridge", strings.HasPrefix(s, "service:"), strings.HasPrefix(s, "container:"):
		d.Errorf(n, "%s is not supported: %s", s, noNetworks)
	default:
		d.Wrong(n, "host or none")
	}
}

// hostOrNone is a namespace: the host's, or one of its own.
type hostOrNone string

func (h *hostOrNone) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	var s string
	if !d.Decode(n, &s) {
		return
	}
	switch s {
	case "host":
		*h = "host"
	case "", "private": // Compose's word where it has one
	default:
		d.Wrong(n, "host, or nothing for one of its own")
	}
}

// capabilityNames are those of Linux 6.12, include/uapi/linux/capability.h.
var capabilityNames = strings.Fields(`AUDIT_CONTROL AUDIT_READ AUDIT_WRITE BLOCK_SUSPEND BPF CHECKPOINT_RESTORE CHOWN
	DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID IPC_LOCK IPC_OWNER KILL LEASE LINUX_IMMUTABLE MAC_ADMIN MAC_OVERRIDE MKNOD
	NET_ADMIN NET_BIND_SERVICE NET_BROADCAST NET_RAW PERFMON SETFCAP SETGID SETPCAP SETUID SYSLOG SYS_ADMIN SYS_BOOT
	SYS_CHROOT SYS_MODULE SYS_NICE SYS_PACCT SYS_PTRACE SYS_RAWIO SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG WAKE_ALARM`)

type capabilities []string

func (c *capabilities) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	if strictyaml.IsNull(n) {
		return
	}
	elements, ok := d.Elements(n, "a list of capabilities")
	if !ok {
		return
	}
	for i, e := range elements {
		var name string
		if !d.DecodeAt(fmt.Sprintf("[%d]", i), e, &name) {
			continue
		}
		name = strings.TrimPrefix(strings.ToUpper(name), "CAP_")
		switch {
		case name == "ALL":
			*c = append(*c, "ALL")
		case slices.Contains(capabilityNames, name):
			*c = append(*c, "CAP_"+name)
		default:
			d.Errorf(e, "unknown capability%s", strictyaml.Suggest(name, capabilityNames))
		}
	}
}

// deviceYAML is HOST[:CONTAINER[:rwm]] or {source, target, permissions}.
type deviceYAML Device

var devicePermissions = regexp.MustCompile(`^[rwm]{1,3}$`)

func (v *deviceYAML) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	long := struct {
		Source      string `yaml:"source"`
		Target      string `yaml:"target"`
		Permissions string `yaml:"permissions"`
	}{}
	if n.Kind == yaml.ScalarNode {
		var text string
		if !d.Decode(n, &text) {
			return
		}
		parts := strings.Split(text, ":")
		if len(parts) > 3 {
			d.Wrong(n, "HOST:CONTAINER:rwm")
			return
		}
		parts = append(parts, "", "")
		long.Source, long.Target, long.Permissions = parts[0], parts[1], parts[2]
		if devicePermissions.MatchString(long.Target) && long.Permissions == "" {
			long.Target, long.Permissions = "", long.Target
		}
	} else if !d.Decode(n, &long) {
		return
	}
	if long.Target == "" {
		long.Target = long.Source
	}
	if long.Permissions == "" {
		long.Permissions = "rwm"
	}
	if !strings.HasPrefix(long.Source, "/dev/") || !strings.HasPrefix(long.Target, "/dev/") || !devicePermissions.MatchString(long.Permissions) {
		d.Errorf(n, "want HOST:CONTAINER:rwm with two paths below /dev")
		return
	}
	*v = deviceYAML(long)
}

type deviceRule string

var deviceRuleForm = regexp.MustCompile(`^[acb] ([0-9]+|\*):([0-9]+|\*) [rwm]{1,3}$`)

func (r *deviceRule) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	var s string
	if !d.Decode(n, &s) {
		return
	}
	if !deviceRuleForm.MatchString(s) {
		d.Wrong(n, `a rule such as "c 13:* rw"`)
		return
	}
	*r = deviceRule(s)
}

type securityOpts SecurityOpt

func (o *securityOpts) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	if strictyaml.IsNull(n) {
		return
	}
	elements, ok := d.Elements(n, "a list such as [no-new-privileges:true]")
	if !ok {
		return
	}
	for i, e := range elements {
		var text string
		if !d.DecodeAt(fmt.Sprintf("[%d]", i), e, &text) {
			continue
		}
		name, value, _ := strings.Cut(strings.Replace(text, "=", ":", 1), ":")
		switch {
		case name == "no-new-privileges" && (value == "" || value == "true"):
			o.NoNewPrivileges = true
		case name == "no-new-privileges" && value == "false":
			o.NoNewPrivileges = false
		case name == "seccomp" && value == "unconfined":
			o.Seccomp = value
		case name == "seccomp":
			d.Errorf(e, "profiles of one's own are not supported yet: leave it out for the default one, or write seccomp:unconfined")
		case name == "apparmor" || name == "label" || name == "systempaths":
			d.Errorf(e, "%s is not supported yet", name)
		default:
			d.Errorf(e, "found %q%s", text, strictyaml.Suggest(name, []string{"no-new-privileges", "seccomp"}))
		}
	}
}

// ulimits are limits by name.
type ulimits map[string]limit

// limit is one number for both, or {soft, hard}.
type limit Ulimit

func (l *limit) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	both := struct {
		Soft *int64 `yaml:"soft"`
		Hard *int64 `yaml:"hard"`
	}{}
	if n.Kind == yaml.ScalarNode {
		if !d.Decode(n, &both.Soft) {
			return
		}
		both.Hard = both.Soft
	} else if !d.Decode(n, &both) {
		return
	}
	if both.Soft == nil || both.Hard == nil || *both.Soft < -1 || *both.Hard < -1 {
		d.Errorf(n, "want a number, or soft and hard; -1 is no limit")
		return
	}
	if *both.Hard >= 0 && (*both.Soft > *both.Hard || *both.Soft < 0) {
		d.Errorf(n, "the soft limit is above the hard one")
		return
	}
	*l = limit{*both.Soft, *both.Hard}
}

// ulimitNames are those of setrlimit(2).
var ulimitNames = strings.Fields("as core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack")

// byteSize is a number of bytes, or one with a unit: 512m, 1.5gb.
type byteSize int64

func (b *byteSize) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	var text strictyaml.Text
	if !d.Decode(n, &text) {
		return
	}
	v, err := units.Bytes(string(text))
	if err != nil {
		d.Wrong(n, "a size such as 512m")
		return
	}
	*b = byteSize(v)
}

// signalNames are those that stop_signal may name.
var signalNames = strings.Fields("SIGHUP SIGINT SIGQUIT SIGKILL SIGUSR1 SIGUSR2 SIGALRM SIGTERM SIGCONT SIGWINCH SIGPWR")

type signalName string

func (s *signalName) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	var text strictyaml.Text
	if !d.Decode(n, &text) {
		return
	}
	name := strings.ToUpper(string(text))
	if number, err := strconv.Atoi(name); err == nil && number >= 1 && number <= 64 {
		*s = signalName(name)
		return
	}
	if realtime := strings.TrimPrefix(name, "SIG"); strings.HasPrefix(realtime, "RTMIN+") {
		if k, err := strconv.Atoi(realtime[6:]); err == nil && k >= 0 && k <= 30 {
			*s = signalName(strconv.Itoa(34 + k)) // as glibc and musl count
			return
		}
	}
	if !strings.HasPrefix(name, "SIG") {
		name = "SIG" + name
	}
	if !slices.Contains(signalNames, name) {
		d.Errorf(n, "unknown signal%s", strictyaml.Suggest(name, signalNames))
		return
	}
	*s = signalName(name)
}
