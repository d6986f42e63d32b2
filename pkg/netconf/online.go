package netconf

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/testudo-os/testudo/pkg/netplan"
	"github.com/testudo-os/testudo/pkg/netstatus"
)

// Targets are tried again while they do not answer.
const targetRetry = 5 * time.Second

// online decides whether the machine is online, and whether those who wait
// for that have waited long enough.
type online struct {
	looked  bool
	began   Moment // when the service first looked
	was     bool   // online, once
	bound   Moment // when waiting ends
	waited  bool   // it has ended
	targets map[string]*target
}

type target struct {
	asked bool // and not answered yet
	next  Moment
	ok    bool
	err   string
}

// reset forgets what was found of targets: they may be others now.
func (o *online) reset() { o.targets = nil }

func (o *online) reached(now Moment, e Reached) {
	if t := o.targets[e.Target]; t != nil {
		t.asked, t.ok, t.err = false, e.Error == "", e.Error
		t.next = now.Add(targetRetry)
		if t.ok {
			t.next = Never
		}
	}
}

func (o *online) next() Moment {
	next := Never
	if o.looked && !o.was && !o.waited {
		next = o.bound
	}
	for _, t := range o.targets {
		if !t.asked {
			next = min(next, t.next)
		}
	}
	return next
}

// ready says whether what waits for the network may go on.
func (o *online) ready(now Moment) bool {
	o.waited = o.waited || o.looked && now >= o.bound
	return o.was || o.waited
}

// verdict is the way to being online, step by step.
type verdict struct {
	online bool
	why    string
	checks []netstatus.NetworkCheck
}

// judge looks at everything that being online takes. ask tries a target.
func (o *online) judge(now Moment, c netplan.Online, links []linkState, dns bool, ask func(string)) verdict {
	if !o.looked {
		o.looked, o.began = true, now
	}
	o.bound = o.began.Add(c.Bound())
	if c.Bound() == 0 {
		o.bound = o.began
	}
	v := verdict{online: true}
	check := func(name string, ok bool, detail string) {
		v.checks = append(v.checks, netstatus.NetworkCheck{Name: name, OK: ok, Detail: detail})
		if !ok && v.online {
			v.online = false
			if v.why = detail; detail == "" {
				v.why = name
			}
		}
	}
	counted, all := slices.DeleteFunc(slices.Clone(links), func(l linkState) bool { return l.inner }), false
	if len(c.Interfaces) > 0 {
		all, counted = true, nil
		for _, name := range c.Interfaces {
			i := slices.IndexFunc(links, func(l linkState) bool { return l.id == name || l.name == name })
			if i < 0 {
				check("interface "+name, false, name+" is not there")
				continue
			}
			counted = append(counted, links[i])
		}
	}
	step := func(name, none string, is func(linkState) bool) {
		var yes, no []string
		for _, l := range counted {
			if !all && l.optional && !is(l) {
				continue
			}
			if is(l) {
				yes = append(yes, l.name)
			} else {
				no = append(no, l.name+": "+l.text)
			}
		}
		switch {
		case all && len(no) > 0, len(yes) == 0:
			detail := none
			if len(no) > 0 {
				detail += " (" + strings.Join(no, "; ") + ")"
			}
			check(name, false, detail)
		default:
			check(name, true, strings.Join(yes, ", "))
		}
	}
	step("interface", "no network interface is there", func(linkState) bool { return true })
	step("carrier", "no interface has carrier", func(l linkState) bool { return l.carrier })
	step("address", "no interface has an address", func(l linkState) bool { return l.addressed })
	if c.Level() == netplan.RequireAddress {
		o.was = o.was || v.online
		return v
	}
	step("route", "no interface has a way out", func(l linkState) bool { return l.routed })
	if c.Level() == netplan.RequireTarget {
		if v.online && !dns && slices.ContainsFunc(c.Targets, named) {
			check("dns", false, "no network has named a DNS server")
		}
		o.targetsOf(now, c.Targets, v.online, ask, check)
	}
	o.was = o.was || v.online
	return v
}

// named says whether a target is a name, which takes a DNS server.
func named(target string) bool {
	return strings.ContainsFunc(target, func(c rune) bool { return c >= 'g' && c <= 'z' || c >= 'G' && c <= 'Z' }) || strings.Count(target, ":") == 1 && strings.ContainsAny(target, "abcdefABCDEF")
}

func (o *online) targetsOf(now Moment, names []string, possible bool, ask func(string), check func(string, bool, string)) {
	if o.targets == nil {
		o.targets = map[string]*target{}
	}
	for _, name := range names {
		t := o.targets[name]
		if t == nil {
			t = &target{}
			o.targets[name] = t
		}
		if !possible {
			t.ok, t.err, t.next = false, "", now // asked anew once there is a way
			check("target "+name, false, name+" is not reached: there is no way out")
			if !t.asked {
				t.next = Never
			}
			continue
		}
		if t.next == Never && !t.ok {
			t.next = now
		}
		if !t.asked && now >= t.next && !t.ok {
			t.asked = true
			ask(name)
		}
		switch {
		case t.ok:
			check("target "+name, true, "")
		case t.err != "":
			check("target "+name, false, fmt.Sprintf("%s is not reached: %s", name, t.err))
		default:
			check("target "+name, false, name+" has not answered yet")
		}
	}
}

// linkState is what being online looks at of an interface.
type linkState struct {
	id, name, text             string
	inner                      bool // leads nowhere by itself: counts only when named
	optional                   bool
	carrier, addressed, routed bool
}
