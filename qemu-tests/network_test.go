package qemutests

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/testudo-os/testudo/pkg/qemu"
)

func TestWithoutANetworkThereIsALoginAndTheStatusSaysWhy(t *testing.T) {
	t.Parallel()
	for network, why := range map[qemu.Network]string{
		qemu.NoNet:     "no network interface",
		qemu.SilentNet: "no answer to DHCP",
	} {
		t.Run(string(network), func(t *testing.T) {
			sh := boot(t, setup{network: network}).shell()
			sh.m.eventually(time.Minute, func() error {
				if out := sh.run("ros status"); !strings.Contains(out, why) {
					return fmt.Errorf("%q is not in the status:\n%s", why, out)
				}
				return nil
			})
			sh.m.eventually(time.Minute, func() error {
				if out := sh.run("ros service ps"); !regexp.MustCompile(`(?m)^ntp +running `).MatchString(out) {
					return fmt.Errorf("the time service waits for a network:\n%s", out)
				}
				return nil
			})
		})
	}
}

func TestACableThatIsPulledAndPutBack(t *testing.T) {
	t.Parallel()
	m := boot(t, setup{network: qemu.UserNet}) // a gateway is there only with a way out
	sh := m.shell()
	ros := m.login("ros")
	before := ros.waitReady("network")["network"]
	card, rest, _ := strings.Cut(before.Reason, ": ")
	if !strings.HasPrefix(rest, "10.0.2.15/24 from DHCP, gateway 10.0.2.2") {
		t.Fatalf("the network service says %q", before.Reason)
	}
	// told waits until the service's log has a text for the n-th time.
	told := func(n int, text string) {
		t.Helper()
		sh.run(fmt.Sprintf("grep -m %d '%s: %s' <(ros service logs -f network) >/dev/null", n, card, text))
	}
	plug := func(in bool) {
		t.Helper()
		if err := m.SetLink(m.within(commandTime), in); err != nil {
			t.Fatal(err)
		}
	}
	has := func(command string, wants ...string) {
		t.Helper()
		out := sh.run(command)
		for _, want := range wants {
			if !strings.Contains(out, want) {
				t.Errorf("%s lacks %q:\n%s", command, want, out)
			}
		}
	}
	has("ros status", card+": 10.0.2.15/24 from DHCP, gateway 10.0.2.2")
	has("cat /etc/resolv.conf", "nameserver 10.0.2.3")
	has("cat /etc/issue", card+": 10.0.2.15", "ssh ros@10.0.2.15")

	plug(false)
	told(1, "no carrier")
	has("ros status", card+": no carrier")
	has("ip -color=never -4 -o address show dev "+card, "10.0.2.15/24")
	has("ip -color=never -4 route show default", "10.0.2.2", "linkdown")
	has("ip -color=never route get 192.0.2.1 2>&1", "Network is unreachable")
	if out := sh.run("cat /etc/resolv.conf"); strings.Contains(out, "nameserver") {
		t.Errorf("a server that nobody reaches is still in resolv.conf:\n%s", out)
	}

	plug(true)
	told(2, "carrier")
	told(2, `10\.0\.2\.15/24 for`) // the server has answered again
	has("ros status", card+": 10.0.2.15/24 from DHCP, gateway 10.0.2.2")
	has("ip -color=never route get 192.0.2.1", "via 10.0.2.2")
	has("cat /etc/resolv.conf", "nameserver 10.0.2.3")
	if got := ros.run("echo here"); got != "here\n" {
		t.Errorf("the session that was open all the time says %q", got)
	}
	if after := ros.waitReady("network")["network"]; after.PID != before.PID {
		t.Error("the network service was restarted")
	}
}
