package config

import (
	"strings"
	"testing"
	"time"

	"github.com/testudo-os/testudo/pkg/netplan"
)

func TestMistakesInTheNetworkHaveTheirPlaceBesideAllOthers(t *testing.T) {
	_, err := Parse("f", []byte(`hostname: a b
network:
  version: 2
  ethernets:
    eth0: {dhpc4: true}
    eth1: {addresses: [10.0.0.1]}
  bonds:
    b: {interfaces: [eth7]}
testudo:
  network:
    online: {require: adress}
    firewall: {allow: [22]}
`))
	if err == nil {
		t.Fatal("taken")
	}
	for _, want := range []string{
		"f:1:11: hostname: ", `f:5:12: network.ethernets.eth0.dhpc4: unknown key (did you mean "dhcp4"?)`, "f:6:24: network.ethernets.eth1.addresses[0]: found",
		`f:8:22: network.bonds.b.interfaces[0]: "eth7" is not defined here`, "f:11:23: testudo.network.online.require: want address, route or target",
		"f:12:24: testudo.network.firewall.allow[0]: ",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%s is not in:\n%v", want, err)
		}
	}
}

func TestALaterNetworkReplacesAnEarlierOneWholeAndOursByKey(t *testing.T) {
	first := mustParse(t, "network: {ethernets: {eth0: {dhcp4: true}}}\ntestudo: {network: {online: {require: address, timeout: 5s}, firewall: {enabled: true}}}\n")
	second := mustParse(t, "network: {ethernets: {eth1: {dhcp4: true}}}\ntestudo: {network: {online: {require: route}, firewall: {enabled: false}}}\n")
	got := Merge(first, second)
	if len(got.Network.Ethernets) != 1 || got.Network.Ethernets["eth1"] == nil {
		t.Errorf("network: %s", got)
	}
	if o := got.Testudo.Network.Online; o.Require != netplan.RequireRoute || o.Bound() != 5*time.Second || got.Testudo.Network.Firewall.On() {
		t.Errorf("testudo.network: %s", got)
	}
}

func TestTheExportedNetworkIsReadAgainAndHasNoKeys(t *testing.T) {
	const key = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk="
	cfg := mustParse(t, "network: {ethernets: {eth0: {addresses: [10.0.0.1/8: {label: x}], routes: [{to: default, via: 10.0.0.2}]}}, bonds: {b: {parameters: {mii-monitor-interval: 100}}}}\ntestudo: {network: {online: {timeout: 90s}}}\n")
	text, err := cfg.Export()
	if err != nil {
		t.Fatal(err)
	}
	again, err := Parse("export", text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if cfg.String() != again.String() {
		t.Errorf("got\n%s\nwant\n%s", again, cfg)
	}
	secret := mustParse(t, "network: {tunnels: {wg0: {mode: wireguard, key: "+key+"}}}")
	if strings.Contains(secret.String(), key) {
		t.Errorf("the key shows:\n%s", secret)
	}
}
