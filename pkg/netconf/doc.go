// Package netconf configures the machine's network: interfaces, addresses,
// routes, rules and names, as the configuration (package netplan), DHCP and
// router advertisements say.
//
// The package is pure. The way is always the same: claims (claim.go) finds out
// which interface each definition is about; wanted (want.go) gives the state
// that configuration and leases ask for; Plan (plan.go) compares it with what
// there is (State) and with what the service itself has made (Owned), and gives
// the smallest list of actions, in an order that the kernel takes. Nothing else
// changes the kernel's state, and what is not Owned is never taken away.
//
// Each protocol is a state machine that takes the time and an event and answers
// with actions; Manager owns one set of machines per interface and is driven by
// one goroutine. Sockets, netlink, sysctls and files are behind the System
// interface, which package netconf/host implements for a running kernel. Only
// the network service may import it.
//
// Libraries: insomniacslk/dhcp encodes and decodes messages (its clients are
// not used: they block, sleep, and wake up for every IP packet on the wire).
// Measured with GODEBUG=inittrace=1, it costs 0.05 ms at start.
package netconf

import (
	"math"
	"time"
)

// Moment is a point in time as CLOCK_BOOTTIME counts it. Leases are kept in
// files that live as long as the boot, and the wall clock may be set at any
// moment by the time service: neither must change what is left of a lease.
type Moment time.Duration

// Never is later than any event.
const Never = Moment(math.MaxInt64)

// Add returns m moved by d. Never stays Never.
func (m Moment) Add(d time.Duration) Moment {
	if m == Never || d == time.Duration(Never) {
		return Never
	}
	return m + Moment(d)
}

// Until returns how long it is from now to m, never less than zero.
func (m Moment) Until(now Moment) time.Duration {
	return time.Duration(max(m-now, 0))
}
