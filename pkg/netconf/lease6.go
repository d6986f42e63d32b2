package netconf

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv6"
)

// Lease6 is what a DHCPv6 server told: addresses when it was asked for them,
// and the other configuration.
type Lease6 struct {
	Addresses []Address6     `json:"addresses,omitempty"`
	Prefixes  []netip.Prefix `json:"prefixes,omitempty"`  // delegated
	ServerID  []byte         `json:"server_id,omitempty"` // DUID
	DNS       []netip.Addr   `json:"dns,omitempty"`
	Search    []string       `json:"search,omitempty"`
	NTP       []netip.Addr   `json:"ntp,omitempty"`

	Renew   Moment `json:"renew"`   // T1, or when other configuration is to be asked for again
	Rebind  Moment `json:"rebind"`  // T2
	Expires Moment `json:"expires"` // when the last address ends; Never without addresses
}

// Address6 is one leased address with its lifetimes.
type Address6 struct {
	Address   netip.Addr `json:"address"`
	Preferred Moment     `json:"preferred"`
	Valid     Moment     `json:"valid"`
}

// Information refresh time (RFC 8415, 21.23): default and least.
const (
	defaultRefresh = 24 * time.Hour
	leastRefresh   = 10 * time.Minute
)

// lease6 reads a reply of a server to a request for addresses of iaid.
func lease6(m *dhcpv6.Message, iaid [4]byte, now Moment) (Lease6, error) {
	l, err := other6(m, now)
	if err != nil {
		return Lease6{}, err
	}
	for _, ia := range m.Options.IANA() {
		if ia.IaId != iaid {
			continue
		}
		if err := status6(ia.Options.Status()); err != nil {
			return Lease6{}, err
		}
		for _, a := range ia.Options.Addresses() {
			l.add(a, now)
		}
		l.times(ia, now)
	}
	for _, pd := range m.Options.IAPD() {
		for _, p := range pd.Options.Prefixes() {
			if prefix, ok := prefix6(p); ok && pd.IaId == iaid {
				l.Prefixes = append(l.Prefixes, prefix)
			}
		}
	}
	if len(l.Addresses) == 0 {
		return Lease6{}, errors.New("the DHCPv6 server gave no address")
	}
	return l, nil
}

func (l *Lease6) add(a *dhcpv6.OptIAAddress, now Moment) {
	addr, ok := address6(a.IPv6Addr)
	if !ok || a.ValidLifetime <= 0 || a.PreferredLifetime > a.ValidLifetime {
		return
	}
	l.Addresses = append(l.Addresses, Address6{
		Address:   addr,
		Preferred: lifetime6(now, a.PreferredLifetime),
		Valid:     lifetime6(now, a.ValidLifetime),
	})
}

// prefix6 reads a delegated prefix.
func prefix6(p *dhcpv6.OptIAPrefix) (netip.Prefix, bool) {
	if p.Prefix == nil || p.ValidLifetime <= 0 {
		return netip.Prefix{}, false
	}
	addr, ok := netip.AddrFromSlice(p.Prefix.IP.To16())
	bits, size := p.Prefix.Mask.Size()
	prefix := netip.PrefixFrom(addr, bits).Masked()
	return prefix, ok && size == 128 && addr.Is6() && !addr.Is4In6() && prefix.IsValid()
}

func lifetime6(now Moment, d time.Duration) Moment {
	if d >= infiniteLease {
		return Never
	}
	return now.Add(d)
}

// times sets T1, T2 and the end; where the server leaves the choice to us
// (zero) or talks nonsense it is half and four fifths of the preferred time.
func (l *Lease6) times(ia *dhcpv6.OptIANA, now Moment) {
	l.Renew, l.Rebind, l.Expires = Never, Never, 0
	preferred := Never
	for _, a := range l.Addresses {
		l.Expires = max(l.Expires, a.Valid)
		preferred = min(preferred, a.Preferred)
	}
	if preferred == Never {
		return
	}
	length := preferred.Until(now)
	t1, t2 := ia.T1, ia.T2
	if t1 <= 0 || t2 < t1 || now.Add(t2) > l.Expires {
		t1, t2 = length/2, length-length/5
	}
	l.Renew, l.Rebind = lifetime6(now, t1), lifetime6(now, t2)
}

// other6 reads the configuration that is no address.
func other6(m *dhcpv6.Message, now Moment) (Lease6, error) {
	if err := status6(m.Options.Status()); err != nil {
		return Lease6{}, err
	}
	id := m.Options.ServerID()
	if id == nil {
		return Lease6{}, errors.New("the DHCPv6 server does not identify itself")
	}
	l := Lease6{
		ServerID: id.ToBytes(),
		DNS:      addresses6(m.Options.DNS()),
		NTP:      addresses6(slices.Concat(m.Options.NTPServers(), m.Options.SNTP())),
		Renew:    now.Add(max(m.Options.InformationRefreshTime(defaultRefresh), leastRefresh)),
		Rebind:   Never,
		Expires:  Never,
	}
	if labels := m.Options.DomainSearchList(); labels != nil {
		l.Search = domains(labels.Labels)
	}
	return l, nil
}

func status6(s *dhcpv6.OptStatusCode) error {
	if s == nil || s.StatusCode == 0 {
		return nil
	}
	return fmt.Errorf("the DHCPv6 server refused (%s)", s.StatusCode)
}

func address6(ip net.IP) (netip.Addr, bool) {
	addr, ok := netip.AddrFromSlice(ip.To16())
	if !ok || addr.Is4In6() || addr.IsUnspecified() || addr.IsMulticast() || addr.IsLoopback() {
		return netip.Addr{}, false
	}
	return addr, true
}

func addresses6(ips []net.IP) []netip.Addr {
	var out []netip.Addr
	for _, ip := range ips {
		if addr, ok := address6(ip); ok && !slices.Contains(out, addr) {
			out = append(out, addr)
		}
	}
	return out
}
