package netconf

import (
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestADomainNameThatOtherProgramsWillReadIsPlain(t *testing.T) {
	for name, want := range map[string]bool{
		"example.com": true, "example.com.": true, "a_b.local": true, "x": true, "": false, ".": false, "a..b": false, "-a": false,
		"a b": false, "a\nb": false, "a;b": false, strings.Repeat("a", 64): false, strings.Repeat("a.", 127) + "a": false,
	} {
		if got := validDomain(name); got != want {
			t.Errorf("validDomain(%q) = %v", name, got)
		}
	}
}

func TestResolvConfListsEachServerOnceAndSaysWhatIsNotUsed(t *testing.T) {
	a := netip.MustParseAddr
	for _, tt := range []struct {
		name string
		in   []Names
		want string
	}{
		{"nothing known", nil, "# No network has named a DNS server.\n"},
		{"two interfaces", []Names{
			{Servers: []netip.Addr{a("10.0.2.3")}, Search: []string{"one.example"}},
			{Servers: []netip.Addr{a("10.0.2.3"), a("fe80::1").WithZone("eth1")}, Search: []string{"one.example", "two.example"}},
		}, "nameserver 10.0.2.3\nnameserver fe80::1%eth1\nsearch one.example two.example\n"},
		{"more than resolvers read", []Names{{Servers: []netip.Addr{a("1.0.0.1"), a("1.0.0.2"), a("1.0.0.3"), a("1.0.0.4"), a("1.0.0.5")}}},
			"nameserver 1.0.0.1\nnameserver 1.0.0.2\nnameserver 1.0.0.3\n# Not used, resolvers stop at three: 1.0.0.4 1.0.0.5\n"},
	} {
		_, got, _ := strings.Cut(ResolvConf(tt.in, nil), "\n")
		if got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestRetriesDoubleAndStayWithinAnEighthOfTheirTime(t *testing.T) {
	for attempt, want := range map[int]time.Duration{0: 1e9, 1: 1e9, 2: 2e9, 6: 32e9, 7: 64e9, 8: 64e9, 1000: 64e9} {
		for _, r := range []uint32{0, 1 << 31, 1<<32 - 1} {
			got := retryDelay(attempt, func() uint32 { return r })
			if got < want-want/8 || got > want+want/8 {
				t.Errorf("attempt %d: %v, want about %v", attempt, got, want)
			}
		}
	}
}

func TestRouterOptionsAreRead(t *testing.T) {
	rdnss := append([]byte{25, 3, 0, 0, 0, 0, 0, 60}, netip.MustParseAddr("2001:db8::53").AsSlice()...)
	dnssl := []byte{31, 3, 0, 0, 0xff, 0xff, 0xff, 0xff, 3, 'l', 'a', 'b', 7, 'e', 'x', 'a', 'm', 'p', 'l', 'e', 0, 0, 0, 0}
	other := []byte{5, 1, 0, 0, 0, 0, 5, 220}
	got, err := ParseRouterOptions(append(append(other, rdnss...), dnssl...))
	if err != nil || len(got) != 2 {
		t.Fatalf("%+v, %v", got, err)
	}
	if got[0].Servers[0].String() != "2001:db8::53" || got[0].Lifetime != time.Minute {
		t.Errorf("servers: %+v", got[0])
	}
	if got[1].Search[0] != "lab.example" || got[1].Lifetime != time.Duration(Never) {
		t.Errorf("search: %+v", got[1])
	}
	for name, bad := range map[string][]byte{
		"no length": {25, 0}, "cut": rdnss[:20], "half a server": {25, 2, 0, 0, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8},
		"a label beyond the end": {31, 2, 0, 0, 0, 0, 0, 1, 60, 'a', 0, 0, 0, 0, 0, 0}, "a name without an end": {31, 2, 0, 0, 0, 0, 0, 1, 7, 'a', 'a', 'a', 'a', 'a', 'a', 'a'},
	} {
		if _, err := ParseRouterOptions(bad); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func FuzzRouterOptions(f *testing.F) {
	f.Add([]byte{25, 3, 0, 0, 0, 0, 0, 60, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x53})
	f.Add([]byte{31, 2, 0, 0, 0, 0, 0, 1, 1, 'a', 1, 'b', 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		said, err := ParseRouterOptions(b)
		if err != nil {
			return
		}
		var l Learned
		for _, dns := range said {
			l.Add(1, dns)
		}
		if len(l.Servers) > mostLearned || len(l.Search) > mostLearned {
			t.Error("remembers without bound")
		}
		for _, s := range l.Search {
			if !validDomain(s.Value) {
				t.Errorf("domain %q", s.Value)
			}
		}
	})
}

func TestWhatRoutersSaidIsForgottenInTimeAndWhenTakenBack(t *testing.T) {
	server := netip.MustParseAddr("2001:db8::53")
	var l Learned
	l.Add(0, RouterDNS{Servers: []netip.Addr{server}, Search: []string{"lab.example"}, Lifetime: 10 * time.Second})
	if l.Next() != at(10) || l.Forget(at(9)) || len(l.Servers) != 1 {
		t.Fatalf("%+v", l)
	}
	l.Add(at(9), RouterDNS{Servers: []netip.Addr{server}, Lifetime: 10 * time.Second})
	if !l.Forget(at(10)) || len(l.Servers) != 1 || len(l.Search) != 0 {
		t.Fatalf("the server was said again, the domain was not: %+v", l)
	}
	l.Add(at(11), RouterDNS{Servers: []netip.Addr{server}})
	if len(l.Servers) != 0 || l.Next() != Never {
		t.Fatalf("not taken back: %+v", l)
	}
}

func TestRoutesComeInAnOrderTheKernelTakes(t *testing.T) {
	p, a := netip.MustParsePrefix, netip.MustParseAddr
	for _, tt := range []struct {
		name  string
		lease Lease4
		want  string
	}{
		{"subnet, then gateway", Lease4{Address: p("10.0.2.15/24"), Routes: []Route{{To: p("0.0.0.0/0"), Gateway: a("10.0.2.2")}}},
			"10.0.2.0/24 0.0.0.0/0>10.0.2.2 "},
		{"a gateway outside a host's subnet of one", Lease4{Address: p("10.0.2.15/32"), Routes: []Route{{To: p("0.0.0.0/0"), Gateway: a("10.0.2.1")}}},
			"10.0.2.1/32 0.0.0.0/0>10.0.2.1 "},
		{"on-link routes first", Lease4{Address: p("10.0.2.15/32"), Routes: []Route{{To: p("0.0.0.0/0"), Gateway: a("169.254.1.1")}, {To: p("169.254.0.0/16")}}},
			"169.254.0.0/16 0.0.0.0/0>169.254.1.1 "},
	} {
		got := ""
		for _, r := range routesOf(&tt.lease) {
			got += r.To.String()
			if r.Gateway.IsValid() {
				got += ">" + r.Gateway.String()
			}
			got += " "
		}
		if got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}
