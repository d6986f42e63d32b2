package netconf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// Neighbour discovery options that the kernel leaves to user space (RFC 8106).
const (
	optionRDNSS = 25
	optionDNSSL = 31
)

// RouterDNS is what one option of a router advertisement says about names. A
// zero Lifetime takes back what was said.
type RouterDNS struct {
	Servers  []netip.Addr
	Search   []string
	Lifetime time.Duration
}

// ParseRouterOptions reads the options of one RTM_NEWNDUSEROPT message. Other
// options are skipped.
func ParseRouterOptions(b []byte) ([]RouterDNS, error) {
	var out []RouterDNS
	for len(b) > 0 {
		if len(b) < 2 || b[1] == 0 || len(b) < int(b[1])*8 {
			return nil, errors.New("a router's option is cut short")
		}
		option := b[:int(b[1])*8]
		b = b[len(option):]
		if option[0] != optionRDNSS && option[0] != optionDNSSL {
			continue
		}
		// type, length, 2 reserved, 4 lifetime in seconds, then the data
		dns := RouterDNS{Lifetime: routerLifetime(binary.BigEndian.Uint32(option[4:8]))}
		var err error
		if option[0] == optionRDNSS {
			dns.Servers, err = parseServers(option[8:])
		} else {
			dns.Search, err = parseSearch(option[8:])
		}
		if err != nil {
			return nil, err
		}
		out = append(out, dns)
	}
	return out, nil
}

func routerLifetime(seconds uint32) time.Duration {
	if seconds == 0xffffffff {
		return time.Duration(Never)
	}
	return time.Duration(seconds) * time.Second
}

func parseServers(b []byte) ([]netip.Addr, error) {
	if len(b) == 0 || len(b)%16 != 0 {
		return nil, fmt.Errorf("a router's list of DNS servers is %d bytes long", len(b))
	}
	var out []netip.Addr
	for chunk := range slices.Chunk(b, 16) {
		if addr, ok := address6(chunk); ok {
			out = append(out, addr)
		}
	}
	return out, nil
}

// parseSearch reads names in DNS wire format without compression, padded with
// zeros to the option's length.
func parseSearch(b []byte) ([]string, error) {
	var names []string
	var name []byte
	for len(b) > 0 {
		n := int(b[0])
		if n == 0 {
			if len(name) > 0 {
				names = append(names, string(name))
				name = nil
			}
			b = b[1:]
			continue
		}
		if n > 63 || len(b) < n+1 {
			return nil, errors.New("a router's search list is malformed")
		}
		if len(name) > 0 {
			name = append(name, '.')
		}
		name = append(name, b[1:n+1]...)
		b = b[n+1:]
	}
	if len(name) > 0 {
		return nil, errors.New("a router's search list is cut short")
	}
	return domains(names), nil
}

// Timed is something a router said, and until when it holds.
type Timed[T comparable] struct {
	Value T      `json:"value"`
	Until Moment `json:"until"`
}

// Learned is what the routers of one link said about names.
type Learned struct {
	Servers []Timed[netip.Addr] `json:"servers,omitempty"`
	Search  []Timed[string]     `json:"search,omitempty"`
}

// mostLearned bounds what strangers on the link can make us remember.
const mostLearned = 8

// Add takes in what was said now.
func (l *Learned) Add(now Moment, dns RouterDNS) {
	until := now.Add(dns.Lifetime)
	for _, s := range dns.Servers {
		l.Servers = learn(l.Servers, s, until)
	}
	for _, s := range dns.Search {
		l.Search = learn(l.Search, s, until)
	}
	l.Forget(now)
}

// Forget drops what no longer holds and reports whether there was any.
func (l *Learned) Forget(now Moment) bool {
	servers, search := len(l.Servers), len(l.Search)
	l.Servers = forget(l.Servers, now)
	l.Search = forget(l.Search, now)
	return len(l.Servers) != servers || len(l.Search) != search
}

// Next is when something is to be forgotten.
func (l *Learned) Next() Moment {
	next := Never
	for _, s := range l.Servers {
		next = min(next, s.Until)
	}
	for _, s := range l.Search {
		next = min(next, s.Until)
	}
	return next
}

func learn[T comparable](list []Timed[T], value T, until Moment) []Timed[T] {
	for i := range list {
		if list[i].Value == value {
			list[i].Until = until
			return list
		}
	}
	if len(list) >= mostLearned {
		return list
	}
	return append(list, Timed[T]{Value: value, Until: until})
}

func forget[T comparable](list []Timed[T], now Moment) []Timed[T] {
	return slices.DeleteFunc(list, func(t Timed[T]) bool { return t.Until <= now })
}
