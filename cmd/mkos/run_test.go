package main

import (
	"strings"
	"testing"
)

func TestParseSize(t *testing.T) {
	for in, want := range map[string]int64{"1": 1, "4K": 4096, "512M": 512 << 20, "8G": 8 << 30, "1T": 1 << 40} {
		if got, err := parseSize(in); err != nil || got != want {
			t.Errorf("%q: %d, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "0", "-1G", "8g", "G", "1.5G", "99999999999T"} {
		if got, err := parseSize(in); err == nil {
			t.Errorf("%q is %d", in, got)
		}
	}
}

func TestAddKeyLeavesLineNumbersAsTheyAre(t *testing.T) {
	user := "#cloud-config\nhostname: x"
	got := addKey(user, "ssh-ed25519 AAAA")
	if !strings.HasPrefix(got, user+"\n") || !strings.Contains(got, "ssh_authorized_keys:\n  - ssh-ed25519 AAAA\n") {
		t.Errorf("got %q", got)
	}
}

func TestAddKeyLeavesAConfigurationWithKeysAlone(t *testing.T) {
	user := "#cloud-config\nssh_authorized_keys: [ssh-rsa B]\n"
	if got := addKey(user, "ssh-ed25519 AAAA"); got != user {
		t.Errorf("got %q", got)
	}
}

func TestForwardsAreTwoPorts(t *testing.T) {
	var o runOptions
	if err := o.addForward("8080:80"); err != nil || len(o.forwards) != 1 || o.forwards[0].Guest != 80 {
		t.Errorf("%v, %v", o.forwards, err)
	}
	for _, bad := range []string{"", "80", "a:b", "1:0", "70000:80"} {
		if err := o.addForward(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}
