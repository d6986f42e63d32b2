package linkopt

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// example gives a value that an option takes.
func example(name string) string {
	for _, e := range [][2]string{
		{"mode", "active-backup"}, {"lacp_rate", "fast"}, {"xmit", "layer3+4"}, {"ad_select", "count"}, {"validate", "filter"}, {"all_targets", "all"}, {"fail_over", "follow"},
		{"primary_reselect", "better"}, {"arp_ip_target", "10.0.0.1 10.0.0.2"}, {"port_range", "42-442"}, {"group6", "ff02::1"}, {"local6", "fd00::1"}, {"group", "239.0.0.1"},
	} {
		if strings.Contains(name, e[0]) {
			return e[1]
		}
	}
	return ""
}

func TestEveryOptionComesBackAsItWas(t *testing.T) {
	for kind, table := range tables {
		for _, o := range table {
			values := []string{example(o.name), "true", "7", "10.0.0.1", "fd00::1"}
			took := false
			for _, v := range values {
				attrs, err := Encode(kind, Options{o.name: v})
				if err != nil || v == "" {
					continue
				}
				took = true
				got := Decode(kind, map[uint16][]byte{attrs[0].Type: attrs[0].Data})
				if want := (Options{o.name: v}); !reflect.DeepEqual(got, want) && v != "true" {
					t.Errorf("%s: %v comes back as %v", kind, want, got)
				}
				break
			}
			if !took {
				t.Errorf("%s: option %s takes none of %q", kind, o.name, values)
			}
		}
	}
}

func TestAttributesOfOneKindAreDistinct(t *testing.T) {
	for kind, table := range tables {
		seen := map[uint16]string{}
		for _, o := range table {
			if seen[o.attr] != "" {
				t.Errorf("%s: %s and %s have the same number", kind, o.name, seen[o.attr])
			}
			seen[o.attr] = o.name
		}
	}
}

func TestWhatIsWrongIsSaid(t *testing.T) {
	for want, o := range map[string]Options{
		"bond has no option mod":    {"mod": "1"},
		"is none of balance-rr":     {"mode": "x"},
		"option miimon: ":           {"miimon": "-1"},
		`"fd00::1" is no IPv4`:      {"arp_ip_target": "10.0.0.1 fd00::1"},
		"option all_slaves_active:": {"all_slaves_active": "perhaps"},
	} {
		if _, err := Encode("bond", o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %s", o, err, want)
		}
	}
	if _, err := Encode("vxlan", Options{"local": "fd00::1"}); err == nil {
		t.Error("an IPv6 address is taken for an IPv4 one")
	}
}

func TestChangesAndWhetherTheyAreLive(t *testing.T) {
	have := Options{"mode": "802.3ad", "miimon": "100", "min_links": "0"}
	changed := Changed(Options{"mode": "802.3ad", "miimon": "50", "updelay": "200"}, have)
	if got := slices.Sorted(maps.Keys(changed)); !slices.Equal(got, []string{"miimon", "updelay"}) || !Live("bond", changed) {
		t.Errorf("%v", changed)
	}
	if Live("bond", Options{"mode": "active-backup"}) || Live("bond", Options{"what": "x"}) || !Live("dummy", Options{}) {
		t.Error("live")
	}
}

func FuzzDecode(f *testing.F) {
	f.Add("bond", uint16(1), []byte{4})
	f.Add("bond", uint16(8), []byte{8, 0, 0, 0, 10, 0, 0, 1})
	f.Add("vxlan", uint16(10), []byte{0, 42, 1, 186})
	f.Fuzz(func(t *testing.T, kind string, attr uint16, data []byte) {
		o := Decode(kind, map[uint16][]byte{attr: data})
		attrs, err := Encode(kind, o)
		if err != nil {
			t.Fatalf("%v: %v", o, err)
		}
		for _, a := range attrs {
			if again := Decode(kind, map[uint16][]byte{a.Type: a.Data}); !maps.Equal(again, o) {
				t.Fatalf("%v comes back as %v", o, again)
			}
		}
	})
}
