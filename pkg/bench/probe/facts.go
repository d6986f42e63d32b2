package main

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// tellFacts writes down what an idle machine uses and offers.
func tellFacts(log *kernelLog) error {
	meminfo, err := os.ReadFile("meminfo")
	if err != nil {
		return err
	}
	for _, name := range []string{"MemTotal", "MemAvailable", "MemFree", "Shmem", "Slab", "AnonPages"} {
		log.fact(name, field(string(meminfo), name))
	}
	for _, proto := range []string{"tcp", "tcp6", "udp", "udp6"} {
		table, err := os.ReadFile(filepath.Join("self/net", proto))
		if err != nil {
			continue // no IPv6
		}
		for _, addr := range listeners(proto, string(table)) {
			log.fact("listen", proto+"/"+addr)
		}
	}
	n, err := userPrograms()
	if err != nil {
		return err
	}
	log.fact("processes", n)
	tellResident(log)
	return nil
}

// field finds a line such as "MemTotal:  1004040 kB" and returns the number.
func field(text, name string) int64 {
	for line := range strings.Lines(text) {
		rest, ok := strings.CutPrefix(line, name+":")
		if f := strings.Fields(rest); ok && len(f) > 0 {
			if n, err := strconv.ParseInt(f[0], 10, 64); err == nil {
				return n
			}
		}
	}
	return -1
}

// listeners reads a table such as /proc/net/tcp: TCP sockets that listen and
// UDP sockets that anybody may send to, as sorted addresses.
func listeners(proto, table string) []string {
	wanted := "0A" // TCP_LISTEN
	if strings.HasPrefix(proto, "udp") {
		wanted = "07" // TCP_CLOSE: not connected
	}
	var found []string
	for line := range strings.Lines(table) {
		f := strings.Fields(line)
		if len(f) < 4 || f[3] != wanted {
			continue
		}
		if addr, err := socketAddress(f[1]); err == nil {
			found = append(found, addr)
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// socketAddress turns "0100007F:0016" into "127.0.0.1:22". The address is in
// 32-bit words of the machine's own, little-endian order.
func socketAddress(s string) (string, error) {
	address, port, ok := strings.Cut(s, ":")
	raw, err := hex.DecodeString(address)
	if !ok || err != nil || len(raw)%4 != 0 {
		return "", fmt.Errorf("%q is not a socket address", s)
	}
	for i := 0; i < len(raw); i += 4 {
		slices.Reverse(raw[i : i+4])
	}
	ip, ok := netip.AddrFromSlice(raw)
	if !ok {
		return "", fmt.Errorf("%q is not a socket address", s)
	}
	n, err := strconv.ParseUint(port, 16, 16)
	if err != nil {
		return "", fmt.Errorf("%q is not a socket address: %w", s, err)
	}
	return netip.AddrPortFrom(ip, uint16(n)).String(), nil
}
