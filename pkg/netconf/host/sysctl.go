package host

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/testudo-os/testudo/pkg/netconf"
)

// Tune sets what decides how the kernel treats an interface. It must come
// before the interface is switched on. A kernel without IPv6 lacks the files,
// which is no error.
func (h *Host) Tune(l netconf.Link, t netconf.Tuning) error {
	// 2: also when the machine forwards packets, as it does for containers.
	accept := map[bool]string{true: "2", false: "0"}[t.AcceptRA]
	// Addresses from the hardware address (EUI-64) unless asked otherwise: a
	// server's address should be the same after it is installed anew.
	generation := map[string]string{"eui64": "0", "none": "1", "stable-privacy": "3"}[t.Generation]
	list := []struct{ family, key, value string }{
		{"ipv6", "accept_ra", accept},
		{"ipv6", "ra_defrtr_metric", strconv.Itoa(t.Metric)},
		{"ipv6", "addr_gen_mode", generation},
		{"ipv6", "use_tempaddr", map[bool]string{true: "2", false: "0"}[t.Privacy]},
		// Routes through a cable that is out give way to the next metric.
		{"ipv6", "ignore_routes_with_linkdown", "1"},
		{"ipv4", "ignore_routes_with_linkdown", "1"},
	}
	if t.MTU6 != 0 {
		list = append(list, struct{ family, key, value string }{"ipv6", "mtu", strconv.Itoa(t.MTU6)})
	}
	var errs []error
	for _, s := range list {
		path := filepath.Join(h.Sysctl, s.family, "conf", l.Name, s.key)
		now, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) || strings.TrimSpace(string(now)) == s.value {
			continue
		}
		if err := os.WriteFile(path, []byte(s.value), 0o644); err != nil {
			errs = append(errs, err)
		}
	}
	if t.Token.IsValid() {
		errs = append(errs, h.setToken(l.Index, t.Token.AsSlice()))
	}
	errs = append(errs, wakeOnLAN(l.Name, t.WakeOnLAN), offloads(l.Name, t.Offloads))
	return errors.Join(errs...)
}

// inet6Token is IFLA_INET6_TOKEN (linux/if_link.h).
const inet6Token = 7

// setToken sets the lower half of addresses that the kernel makes.
func (h *Host) setToken(index int, token []byte) error {
	req := nl.NewNetlinkRequest(unix.RTM_SETLINK, unix.NLM_F_ACK)
	msg := nl.NewIfInfomsg(unix.AF_UNSPEC)
	msg.Index = int32(index)
	req.AddData(msg)
	spec := nl.NewRtAttr(unix.IFLA_AF_SPEC, nil)
	spec.AddRtAttr(unix.AF_INET6, nil).AddRtAttr(inet6Token, token)
	req.AddData(spec)
	if _, err := h.request(req, 0); err != nil {
		return errors.Join(errors.New("set the token of IPv6 addresses"), err)
	}
	return nil
}
