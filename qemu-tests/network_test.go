package qemutests

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/testudo-os/testudo/pkg/qemu"
)

func TestWithoutANetworkThereIsALogin(t *testing.T) {
	t.Parallel()
	for _, network := range []qemu.Network{qemu.NoNet, qemu.SilentNet} {
		t.Run(string(network), func(t *testing.T) {
			sh := boot(t, setup{network: network}).shell()
			if out := sh.run("ros service ls"); !strings.Contains(out, "console") {
				t.Errorf("ros service ls says:\n%s", out)
			}
			sh.m.eventually(time.Minute, func() error {
				if out := sh.run("ros service inspect network; ros service ls; ros status"); !strings.Contains(out, "network") {
					return fmt.Errorf("nobody speaks of the network:\n%s", out)
				}
				return nil
			})
		})
	}
}

func TestACableThatIsPulledAndPutBack(t *testing.T) {
	t.Parallel()
	m := boot(t, setup{})
	ros := m.login("ros")
	ros.waitReady("network")
	for _, up := range []bool{false, true} {
		if err := m.SetLink(m.within(commandTime), up); err != nil {
			t.Fatal(err)
		}
	}
	if got := ros.run("echo here"); got != "here\n" {
		t.Errorf("the session says %q", got)
	}
	ros.waitReady("network")
}
