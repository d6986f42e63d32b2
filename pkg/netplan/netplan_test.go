package netplan

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// good parses text that must be good.
func good(t *testing.T, text string) *Config {
	t.Helper()
	c, err := Parse("f", []byte(text))
	if err != nil {
		t.Fatalf("%v\nin:\n%s", err, text)
	}
	return c
}

const key = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk="

func TestWhatIsWrongIsToldWithItsPlace(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"an unknown key", "version: 2\nethernets:\n  eth0:\n    dhpc4: true\n", `f:4:5: ethernets.eth0.dhpc4: unknown key (did you mean "dhcp4"?)`},
		{"several at once", "ethernets:\n  eth0:\n    mtu: 1\n    addresses: [10.0.0.1]\n",
			"f:3:10: ethernets.eth0.mtu: found the number 1, want one from 68 to 65535\nf:4:17: ethernets.eth0.addresses[0]: found"},
		{"an address of no host", "ethernets: {e: {addresses: [224.0.0.1/24]}}", "224.0.0.1 is the address of no host"},
		{"a bond of what is not there", "ethernets: {eth0: {}}\nbonds:\n  b0:\n    interfaces: [eth0, eth1]\n", `f:4:24: bonds.b0.interfaces[1]: "eth1" is not defined here (did you mean "eth0"?)`},
		{"a port of two", "ethernets: {a: {}}\nbridges:\n  x: {interfaces: [a]}\n  y: {interfaces: [a]}\n", "a belongs to x already"},
		{"addresses on a port", "ethernets: {a: {addresses: [10.0.0.1/8]}}\nbridges: {x: {interfaces: [a]}}\n", "ethernets.a.addresses: a belongs to x: addresses stand there"},
		{"a circle", "vlans:\n  a: {id: 1, link: b}\n  b: {id: 2, link: a}\n", "a stands on itself"},
		{"a bond's mode", "bonds: {b: {parameters: {mode: 802.3at}}}", `found the text "802.3at", want one of`},
		{"monitoring twice", "bonds: {b: {parameters: {arp-interval: 100, mii-monitor-interval: 100, arp-ip-targets: [10.0.0.1]}}}", "exclude one another"},
		{"LACP without it", "bonds: {b: {parameters: {mode: active-backup, lacp-rate: fast}}}", "belongs to mode 802.3ad"},
		{"a name without match", "ethernets: {a: {set-name: b}}", "needs the key match"},
		{"a route to nowhere", "ethernets: {a: {routes: [{via: 10.0.0.1}]}}", "a route needs the key to"},
		{"a route without a gateway", "ethernets: {a: {routes: [{to: 10.0.0.0/8}]}}", "a route needs the key via"},
		{"families mixed", "ethernets: {a: {routes: [{to: 10.0.0.0/8, via: 'fe80::1'}]}}", "are not of one kind"},
		{"two equal gateways", "ethernets:\n  a: {routes: [{to: default, via: 10.0.0.1, metric: 5}]}\n  b: {routes: [{to: 0.0.0.0/0, via: 10.1.0.1, metric: 5}]}\n", "b.routes[0]: a has a route to the same network with metric 5, too"},
		{"a tunnel without a mode", "tunnels: {t: {remote: 10.0.0.1}}", "a tunnel needs the key mode"},
		{"a tunnel of the wrong kind", "tunnels: {t: {mode: gre, remote: 'fd00::1'}}", "mode gre runs over IPv4"},
		{"a private key that is none", "tunnels: {t: {mode: wireguard, keys: {private: secretsecret}}}", "want a WireGuard key: 44 letters"},
		{"two cables", "virtual-ethernets: {a: {peer: b}, b: {peer: c}, c: {peer: b}}", "two ends name one another"},
		{"a table twice", "vrfs: {a: {table: 7}, b: {table: 7}}", "a has that table"},
		{"wireless", "wifis: {}", "wireless interfaces are not configured"},
		{"Open vSwitch", "bridges: {b: {openvswitch: {}}}", "Open vSwitch is not part of Testudo"},
		{"a version to come", "version: 3", "want 1 or 2"},
		{"an id twice", "ethernets: {a: {}}\ndummy-devices: {a: {}}", "the id is taken by one of ethernets"},
		{"a name too long", "dummy-devices: {sixteen-letters-x: {}}", "is no name of an interface"},
		{"a lifetime", "ethernets: {a: {addresses: [10.0.0.1/8: {lifetime: 5}]}}", "want forever or 0"},
		{"version 1: a type", "version: 1\nconfig:\n- type: fysical\n  name: a\n", `f:3:3: config[0]: the type "fysical" is not known (did you mean "physical"?)`},
		{"version 1: a key", "version: 1\nconfig:\n- type: physical\n  name: a\n  subnet: []\n", `did you mean "subnets"?`},
		{"version 1: a subnet", "version: 1\nconfig:\n- type: physical\n  name: a\n  subnets:\n  - type: dpch\n", `f:6:5: config[0]: a subnet's type is one of`},
		{"version 1: a member", "version: 1\nconfig:\n- type: bond\n  name: b\n  bond_interfaces: [x]\n", `"x" is not defined here`},
		{"version 1: a parameter", "version: 1\nconfig:\n- type: bond\n  name: b\n  params: {bond-mod: 1}\n", `unknown parameter (did you mean "bond-mode"?)`},
	} {
		_, err := Parse("f", []byte(tt.text))
		if err == nil {
			t.Errorf("%s: taken", tt.name)
		} else if !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s:\n got %v\nwant %s", tt.name, err, tt.want)
		} else if strings.Contains(err.Error(), "secretsecret") {
			t.Errorf("%s: the secret is repeated: %v", tt.name, err)
		}
	}
}

func TestVersion1IsTheSameAsVersion2(t *testing.T) {
	for _, tt := range []struct{ name, one, two string }{
		{"a card by its address with DHCP", `
version: 1
config:
  - type: physical
    name: interface0
    mac_address: '00:11:22:33:44:55'
    subnets:
      - type: dhcp`, `
ethernets:
  interface0:
    match: {macaddress: '00:11:22:33:44:55'}
    set-name: interface0
    dhcp4: true`},
		{"static", `
config:
  - type: physical
    name: eth0
    mtu: 9000
    subnets:
      - type: static
        address: 192.168.23.14/27
        gateway: 192.168.23.1
        dns_nameservers: [192.168.23.2, 8.8.8.8]
        dns_search: exemplary.maas
        routes:
          - {destination: 10.0.0.0, netmask: 255.0.0.0, gateway: 192.168.23.2, metric: 3}
      - type: static6
        address: 2001:db8::5
        netmask: 'ffff:ffff:ffff::'
  - type: nameserver
    interface: eth0
    address: 9.9.9.9
  - type: nameserver
    address: [1.1.1.1]
    search: [example.com]`, `
nameservers: {addresses: [1.1.1.1], search: [example.com]}
ethernets:
  eth0:
    mtu: 9000
    addresses: [192.168.23.14/27, '2001:db8::5/48']
    nameservers: {addresses: [192.168.23.2, 8.8.8.8, 9.9.9.9], search: [exemplary.maas]}
    routes:
      - {to: default, via: 192.168.23.1}
      - {to: 10.0.0.0/8, via: 192.168.23.2, metric: 3}`},
		{"a bond, a VLAN on it, a bridge", `
version: 1
config:
  - {type: physical, name: eth0}
  - {type: physical, name: eth1}
  - {type: physical, name: eth2}
  - type: bond
    name: bond0
    mac_address: '02:11:22:33:44:55'
    bond_interfaces: [eth0, eth1]
    params: {bond-mode: 1, bond-miimon: 100, bond_xmit_hash_policy: layer3+4, bond-primary: eth0}
  - type: vlan
    name: bond0.10
    vlan_link: bond0
    vlan_id: 10
    subnets: [{type: dhcp6}]
  - type: bridge
    name: br0
    bridge_interfaces: [eth2]
    params: {bridge_stp: 'on', bridge_fd: 4, bridge_pathcost: [eth2 50], bridge_maxwait: 0}
  - type: route
    destination: 172.16.0.0/12
    gateway: 10.1.0.1
  - type: physical
    name: eth3
    subnets: [{type: static, address: 10.1.0.2, netmask: 255.255.0.0}]`, `
ethernets:
  eth0: {}
  eth1: {}
  eth2: {}
  eth3: {addresses: [10.1.0.2/16], routes: [{to: 172.16.0.0/12, via: 10.1.0.1}]}
bonds:
  bond0:
    macaddress: '02:11:22:33:44:55'
    interfaces: [eth0, eth1]
    parameters: {mode: active-backup, mii-monitor-interval: 100, transmit-hash-policy: layer3+4, primary: eth0}
vlans:
  bond0.10: {id: 10, link: bond0, dhcp6: true}
bridges:
  br0:
    interfaces: [eth2]
    parameters: {stp: true, forward-delay: 4, path-cost: {eth2: 50}}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			one, two := good(t, tt.one), good(t, tt.two)
			a, _ := json.MarshalIndent(one, "", " ")
			b, _ := json.MarshalIndent(two, "", " ")
			if string(a) != string(b) {
				t.Errorf("version 1 becomes\n%s\nversion 2 is\n%s", a, b)
			}
		})
	}
}

// examples are netplan's and cloud-init's published ones, shortened to what
// each shows, besides a few of our own.
func examples(t testing.TB) map[string]string {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d examples, %v", len(files), err)
	}
	out := map[string]string{}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		out[f] = string(b)
	}
	return out
}

func TestPublishedExamplesAreTaken(t *testing.T) {
	for file, text := range examples(t) {
		if _, err := Parse(file, []byte(text)); err != nil {
			t.Error(err)
		}
	}
}

// What is written as JSON, for the network service and for `ros config
// export`, is read again as the same.
func roundTrip(t *testing.T, c *Config) {
	t.Helper()
	text, err := Settings{Network: c}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	back, err := ParseSettings(text)
	if err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	if !reflect.DeepEqual(back.Network, c) {
		again, _ := back.Encode()
		if string(again) != string(text) {
			t.Fatalf("JSON comes back different:\n%s\n%s", text, again)
		}
	}
	inner, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	if back, err := Parse("export", inner); err != nil {
		t.Fatalf("what was exported is refused: %v\n%s", err, inner)
	} else if again, _ := json.Marshal(back); string(again) != string(inner) {
		t.Fatalf("what was exported is read differently:\n%s\n%s", inner, again)
	}
}

func TestExamplesSurviveJSON(t *testing.T) {
	for file, text := range examples(t) {
		t.Run(filepath.Base(file), func(t *testing.T) { roundTrip(t, good(t, text)) })
	}
}

func TestKeysDoNotShow(t *testing.T) {
	c := good(t, "tunnels: {wg0: {mode: wireguard, key: "+key+", peers: [{keys: {public: "+key+", shared: "+key+"}}]}}")
	if text, err := json.Marshal(c.Redacted()); err != nil || strings.Count(string(text), key) != 1 {
		t.Errorf("want the public key alone: %s, %v", text, err)
	}
	if c.Tunnels["wg0"].PrivateKey() != key {
		t.Error("the original is changed")
	}
	if k := c.Tunnels["wg0"].PrivateKey(); k.String() != Redacted || strings.Contains(k.GoString(), key) {
		t.Error("printing a key shows it")
	}
}

func TestAllowRules(t *testing.T) {
	for text, want := range map[string]string{
		"ssh": "{tcp 22 22 invalid Prefix}", "443/tcp": "{tcp 443 443 invalid Prefix}", "60000-61000/udp": "{udp 60000 61000 invalid Prefix}",
		"9100/tcp from 10.1.2.3/8": "{tcp 9100 9100 10.0.0.0/8}", "ssh from fd00::/8": "{tcp 22 22 fd00::/8}",
		"0/tcp": "", "5-4/tcp": "", "80": "", "80/sctp": "", "ssh from x": "", "": "", "70000/udp": "",
	} {
		r, ok := ParseAllow(text)
		if got := fmt.Sprint(r); ok != (want != "") || ok && got != want {
			t.Errorf("%q: %v, %v", text, got, ok)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range examples(f) {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Parse("f", []byte(text))
		if err != nil || c == nil {
			return
		}
		roundTrip(t, c)
	})
}
