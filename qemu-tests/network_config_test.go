package qemutests

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// manyCards are eight besides the machine's own, on virtual switches: the last
// two digits of their hardware addresses are 11 to 18; 11, 12 and 17 are on the
// first switch, 13 and 14 on the second, each other on one of its own, so that
// a bridge of them makes no loop.
func manyCards() (extra []string) {
	for i := 1; i <= 8; i++ {
		hub := map[int]int{1: 1, 2: 1, 7: 1, 3: 2, 4: 2, 5: 5, 6: 6, 8: 8}[i]
		extra = append(extra, "-netdev", fmt.Sprintf("hubport,id=h%d,hubid=%d", i, hub),
			"-device", fmt.Sprintf("virtio-net-pci,romfile=,netdev=h%d,mac=52:54:00:00:00:1%d", i, i))
	}
	return extra
}

const manyNetworks = `
network:
  version: 2
  ethernets:
    wan: {match: {driver: virtio_net, macaddress: "52:54:00:12:34:56"}, set-name: wan0, dhcp4: true}
    n1: {match: {macaddress: "52:54:00:00:00:11"}, set-name: n1}
    n2: {match: {macaddress: "52:54:00:00:00:12"}, set-name: n2}
    n3: {match: {macaddress: "52:54:00:00:00:13"}, set-name: n3}
    n4: {match: {macaddress: "52:54:00:00:00:14"}, set-name: n4}
    n5: {match: {macaddress: "52:54:00:00:00:15"}, set-name: n5, testudo-bridge-port: {pvid: 30, tagged: [20, 21]}}
    n6: {match: {macaddress: "52:54:00:00:00:16"}, set-name: n6}
    n7: {match: {macaddress: "52:54:00:00:00:17"}, set-name: n7}
    n8: {match: {macaddress: "52:54:00:00:00:18"}, set-name: n8, addresses: [10.80.0.1/24], mtu: 1400, routes: [{to: 10.81.0.0/16, via: 10.80.0.2, table: 81}], routing-policy: [{from: 10.80.0.0/24, table: 81, priority: 81}]}
  bonds:
    bond0: {interfaces: [n1, n2], parameters: {mode: active-backup, primary: n2, mii-monitor-interval: 100, up-delay: 200, gratuitous-arp: 3}}
    bond1: {interfaces: [n3, n4], parameters: {mode: 802.3ad, lacp-rate: fast, transmit-hash-policy: layer3+4, mii-monitor-interval: 100, ad-select: bandwidth, min-links: 1}}
  bridges:
    br0:
      interfaces: [n5, n6]
      addresses: [10.50.0.1/24]
      parameters: {stp: false, forward-delay: 4, path-cost: {n5: 77}, testudo-vlan-filtering: true}
      testudo-bridge-port: {pvid: 1, tagged: [20]}
  vlans:
    bond0.10: {id: 10, link: bond0, addresses: [10.10.0.1/24]}
    n7.10: {id: 10, link: n7, addresses: [10.10.0.2/24]}
    br0.20: {id: 20, link: br0, addresses: [10.20.0.1/24]}
  vrfs:
    red: {table: 1000, interfaces: [n7.10], routes: [{to: default, via: 10.10.0.1}]}
  dummy-devices:
    du0: {addresses: [10.43.0.1/32]}
  virtual-ethernets:
    va: {peer: vb, addresses: [10.44.0.1/30]}
    vb: {peer: va}
  tunnels:
    vx0: {mode: vxlan, id: 42, local: 10.80.0.1, remote: 10.80.0.2, addresses: [10.42.0.1/24]}
    gr0: {mode: gre, local: 10.80.0.1, remote: 10.80.0.2, key: 7, addresses: [10.45.0.1/30]}
    gt0: {mode: gretap, local: 10.80.0.1, remote: 10.80.0.2}
    ii0: {mode: ipip, local: 10.80.0.1, remote: 10.80.0.2}
    si0: {mode: sit, local: 10.80.0.1, remote: 10.80.0.2}
    wg0:
      mode: wireguard
      addresses: [10.46.0.1/24]
      key: "4GgaQCy68nzNsUE5aJ9fuLzHhB65tAlwbmA72MWnOm8="
      port: 51820
      peers: [{endpoint: 10.80.0.2:51820, allowed-ips: [10.46.0.0/24], keepalive: 25, keys: {public: "M9nt4YujIOmNrRmpIRTmYSfMdrpvE7u6WkG8FY8WjG4="}}]
testudo:
  network:
    online: {interfaces: [wan, bond0.10], require: address, timeout: 2m}
`

func TestEightCardsWithBondsBridgesVLANsAndTunnels(t *testing.T) {
	t.Parallel()
	sh := boot(t, setup{extra: manyCards(), cloudConfig: manyNetworks}).shell()
	sh.run("unalias -a") // colours
	has := func(command string, wants ...string) {
		t.Helper()
		sh.m.eventually(time.Minute, func() error {
			out := sh.run(command)
			for _, want := range wants {
				if !strings.Contains(out, want) {
					return fmt.Errorf("%s lacks %q:\n%s\n%s", command, want, out, sh.run("ros network status; ros logs network | tail -30"))
				}
			}
			return nil
		})
	}
	has("ros network status", "online", "wan0", "10.0.2.15/24")
	has("ip -d link show bond0", "bond mode active-backup", "miimon 100", "updelay 200", "primary n2", "num_grat_arp 3", "state UP")
	has("ip -d link show bond1", "bond mode 802.3ad", "lacp_rate fast", "xmit_hash_policy layer3+4", "ad_select bandwidth", "min_links 1")
	has("ip link show n1; ip link show n2; ip link show n3", "master bond0", "master bond1")
	has("ip -d link show br0", "stp_state 0", "forward_delay 400", "vlan_filtering 1")
	has("ip -d link show n5", "master br0", "cost 77")
	has("bridge vlan show dev n5", "30 PVID Egress Untagged", "20", "21")
	has("bridge vlan show dev br0", "1 PVID Egress Untagged", "20")
	has("ip -d link show bond0.10", "vlan protocol 802.1Q id 10")
	has("ip -d link show red", "vrf table 1000")
	has("ip -4 addr", "10.10.0.1/24", "10.10.0.2/24", "10.20.0.1/24", "10.50.0.1/24", "10.80.0.1/24", "10.43.0.1/32", "10.44.0.1/30", "10.42.0.1/24", "10.45.0.1/30", "10.46.0.1/24")
	has("ip route show table 1000", "default via 10.10.0.1 dev n7.10", "10.10.0.0/24 dev n7.10")
	has("ip route show table 81; ip rule", "10.81.0.0/16 via 10.80.0.2 dev n8", "81:\tfrom 10.80.0.0/24 lookup 81")
	has("ip -d link show vx0", "vxlan id 42 remote 10.80.0.2 local 10.80.0.1", "dstport 4789")
	has("ip -d link show gr0; ip -d link show gt0; ip -d link show ii0; ip -d link show si0; ip -d link show wg0; ip -d link show du0",
		"gre remote 10.80.0.2 local 10.80.0.1", "ikey 0.0.0.7 okey 0.0.0.7", "gretap remote 10.80.0.2", "ipip", "sit", "wireguard", "dummy")
	has("ss -lnu", ":51820")
	has("ip link show n8", "mtu 1400")

	// A frame goes from one VLAN over the switch to the bond, whichever of its
	// cards is in use.
	reach := "curl -s -m 20 --http0.9 --interface red http://10.10.0.1:22/ | head -c 8"
	has(reach, "SSH-2.0-")
	sh.run("sudo ip link set n2 down")
	has("ip -d link show bond0", "active_slave n1")
	has(reach, "SSH-2.0-")

	// What a person made and what Docker would make is nobody's business.
	sh.run("sudo ip link add foreign type bridge; sudo ip addr add 172.31.0.1/16 dev foreign; sudo ip link add foreign0 type veth peer name foreign1; sudo ip link set foreign0 master foreign")

	// A new configuration is taken without a restart, as the smallest change.
	before := sh.run("ip -o link show br0; ip -o link show bond0.10")
	sh.run(`sudo sed -i 's|10.10.0.1/24|10.10.0.9/24|; s|"10.43.0.1/32"|"10.43.0.2/32"|' /run/testudo/rendered/network/network.json`)
	has("ip -4 -o addr", "10.10.0.9/24", "10.43.0.2/32")
	if out := sh.run("ip -4 -o addr"); strings.Contains(out, "10.10.0.1/24") || !strings.Contains(out, "172.31.0.1/16") {
		t.Errorf("addresses:\n%s", out)
	}
	if after := sh.run("ip -o link show br0; ip -o link show bond0.10"); index(after) != index(before) {
		t.Errorf("interfaces were made anew:\n%s\n%s", before, after)
	}
	has("ros network diag", "ok", "The machine is online.")
	has("ros network status --format json", `"online": true`, `"name": "bond0.10"`)

	sh.run(`echo '{"network": {"config": "disabled"}}' | sudo tee /run/testudo/rendered/network/network.json`)
	sh.m.eventually(time.Minute, func() error {
		out := sh.run("ip -o link")
		for _, gone := range []string{"bond0:", "br0:", "red:", "wg0:", "vx0:", "gr0@", "du0:", "va@"} {
			if strings.Contains(out, " "+gone) {
				return fmt.Errorf("%s is still there:\n%s", gone, out)
			}
		}
		if !strings.Contains(out, "foreign:") || !strings.Contains(out, "master foreign") {
			return fmt.Errorf("somebody else's is gone:\n%s", out)
		}
		return nil
	})
}

// index gives the numbers of interfaces in lines of ip -o link.
func index(lines string) string {
	var out []string
	for line := range strings.Lines(lines) {
		number, _, _ := strings.Cut(line, ":")
		out = append(out, strings.TrimSpace(number))
	}
	return strings.Join(out, " ")
}
