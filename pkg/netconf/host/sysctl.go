package host

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/testudo-os/testudo/pkg/netconf"
)

// tune sets what decides how the kernel treats an interface. It must come
// before the interface is switched on. A kernel without IPv6 lacks the files,
// which is no error; that they cannot be written is said and lived with.
func (h *Host) tune(name string, index int) {
	metric := strconv.Itoa(netconf.Metric(index))
	for _, s := range []struct{ family, key, value string }{
		// 2: also when the machine forwards packets, as it does for containers.
		{"ipv6", "accept_ra", "2"},
		{"ipv6", "ra_defrtr_metric", metric},
		// Addresses from the hardware address (EUI-64): a server's address
		// should be the same after it is installed anew.
		{"ipv6", "addr_gen_mode", "0"},
		// Routes through a cable that is out give way to the next metric.
		{"ipv6", "ignore_routes_with_linkdown", "1"},
		{"ipv4", "ignore_routes_with_linkdown", "1"},
	} {
		path := filepath.Join(h.Sysctl, s.family, "conf", name, s.key)
		now, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) || strings.TrimSpace(string(now)) == s.value {
			continue
		}
		if err := os.WriteFile(path, []byte(s.value), 0o644); err != nil {
			h.Log("%s: %v", name, err)
		}
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
