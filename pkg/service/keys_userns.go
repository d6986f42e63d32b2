package service

import (
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/testudo-os/testudo/pkg/strictyaml"
)

// usernsMode is Compose's userns_mode. "auto" is Podman's word: ids of its own,
// which the machine chooses and keeps.
type usernsMode string

func (m *usernsMode) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	*m = usernsMode(word(d, n, "auto", "host"))
}

func (*usernsMode) schema(*schemaMaker) schema { return oneOf("auto", "host") }

// hostCapabilities are those that the kernel asks for in the machine's own user
// namespace: elsewhere they give nothing (capable() against ns_capable(), Linux
// 6.12).
var hostCapabilities = strings.Fields(`CAP_AUDIT_CONTROL CAP_AUDIT_READ CAP_BLOCK_SUSPEND CAP_BPF CAP_IPC_LOCK CAP_LINUX_IMMUTABLE
	CAP_MAC_ADMIN CAP_MAC_OVERRIDE CAP_MKNOD CAP_PERFMON CAP_SYSLOG CAP_SYS_BOOT CAP_SYS_MODULE CAP_SYS_NICE CAP_SYS_PACCT
	CAP_SYS_RAWIO CAP_SYS_TIME CAP_SYS_TTY_CONFIG CAP_WAKE_ALARM`)

// networkCapabilities are about a network namespace, and count in that which
// the service's own user namespace owns.
var networkCapabilities = []string{"CAP_NET_ADMIN", "CAP_NET_BIND_SERVICE", "CAP_NET_RAW"}

// checkUserns says what cannot be had together with userns_mode: auto.
func (s Service) checkUserns(bad func(key, format string, args ...any)) {
	if !s.Userns {
		return
	}
	const because = "userns_mode: auto"
	for key, said := range map[string]bool{
		"privileged": s.Privileged, "pid": s.Pid != "", "ipc": s.Ipc != "", "cgroup": s.Cgroup != "",
		"devices": len(s.Devices) > 0, "device_cgroup_rules": len(s.DeviceCgroup) > 0,
	} {
		if said {
			bad("userns_mode", "%s cannot be had with %s: it is for the machine's own user ids", because, key)
		}
	}
	for _, c := range s.CapAdd {
		switch {
		case slices.Contains(hostCapabilities, c):
			bad("cap_add", "%s gives nothing with %s: the kernel asks for it outside of the service's user namespace", c, because)
		case s.NetworkMode == "host" && slices.Contains(networkCapabilities, c):
			bad("cap_add", "%s gives nothing with %s and network_mode: host: the network is not the service's own", c, because)
		}
	}
}
