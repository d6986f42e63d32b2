// Package reconfigure says what it takes to go from one configuration to
// another: a pure function from two resolved configurations to an ordered list
// of actions. Carrying them out is rosd's affair.
package reconfigure

import (
	"fmt"
	"slices"
	"strings"

	"github.com/testudo-os/testudo/pkg/config"
)

// Kind is what an action does. The set is closed; rosd has something for each.
type Kind string

// The kinds, in the order in which they are carried out.
const (
	Hostname  Kind = "hostname"  // the machine's name
	Timezone  Kind = "timezone"  // the machine's time zone
	Modules   Kind = "modules"   // kernel modules
	Sysctl    Kind = "sysctl"    // the kernel's settings
	Disks     Kind = "disks"     // mounts and swap
	Network   Kind = "network"   // its service notices that its file has changed
	Registry  Kind = "registry"  // how images are fetched
	Logging   Kind = "logging"   // where logs are sent
	Console   Kind = "console"   // accounts, keys, files: the console takes them over
	Services  Kind = "services"  // which services run, and how
	Restart   Kind = "restart"   // a service that reads its files at its start
	Next      Kind = "next boot" // takes a reboot
	NextLogin Kind = "next login"
	Instance  Kind = "instance" // is done once for each instance: not again
	Nothing   Kind = "nothing"  // concerns nothing that runs
)

// order is that of carrying out.
var order = []Kind{Hostname, Timezone, Modules, Sysctl, Disks, Network, Registry, Logging, Console, Services, Restart, NextLogin, Next, Instance, Nothing}

// When says from when on a change holds.
type When string

// The set is closed.
const (
	Live        When = "live"         // at once, nothing is interrupted
	Interrupts  When = "restart"      // at once, a service restarts for it
	Reboot      When = "reboot"       // from the next boot on
	NewInstance When = "new instance" // only a new instance does it
	Login       When = "next login"
)

// Action is one step.
type Action struct {
	Kind    Kind
	Service string   // of Restart
	Keys    []string // that changed
	When    When
	What    string // for people; holds no values that may be secret
}

// NeedsReboot says whether a part of the plan waits for one.
func NeedsReboot(plan []Action) bool {
	return slices.ContainsFunc(plan, func(a Action) bool { return a.When == Reboot })
}

// rule says what a change of keys takes. The longest key that is the changed
// one, or above it, counts.
type rule struct {
	key     string
	kind    Kind
	service string
}

// Plan gives the actions from old to fresh; none when they are the same.
func Plan(old, fresh *config.Config) []Action {
	var plan []Action
	for _, key := range config.Changed(old, fresh) {
		for _, r := range rulesOf(key) {
			i := slices.IndexFunc(plan, func(a Action) bool { return a.Kind == r.kind && a.Service == r.service })
			if i < 0 {
				plan = append(plan, Action{Kind: r.kind, Service: r.service, When: when[r.kind]})
				i = len(plan) - 1
			}
			plan[i].Keys = append(plan[i].Keys, key)
		}
	}
	slices.SortStableFunc(plan, func(a, b Action) int { return slices.Index(order, a.Kind) - slices.Index(order, b.Kind) })
	for i := range plan {
		plan[i].What = plan[i].what(fresh)
	}
	return plan
}

// rulesOf gives all rules of the longest key; a change may take several things.
func rulesOf(key string) []rule {
	var found []rule
	for _, r := range rules {
		if key != r.key && !strings.HasPrefix(key, r.key+".") {
			continue
		}
		if len(found) > 0 && len(found[0].key) != len(r.key) {
			if len(found[0].key) > len(r.key) {
				continue
			}
			found = nil
		}
		found = append(found, r)
	}
	return found
}

func (a Action) what(fresh *config.Config) string {
	switch a.Kind {
	case Hostname:
		if name := fresh.MachineName(); name != "" {
			return "call the machine " + name
		}
		return "keep the machine's name until the next boot"
	case Timezone:
		if fresh.Timezone == "" {
			return "set the time zone to UTC; services of yours see it when they restart"
		}
		return "set the time zone to " + fresh.Timezone + "; services of yours see it when they restart"
	case Modules:
		return "load kernel modules; one that is no longer named stays until the next boot"
	case Sysctl:
		return "write the kernel's settings; one that is no longer named stays until the next boot"
	case Disks:
		return "mount and swap; below /mnt and /media at once, elsewhere from the next boot on"
	case Network:
		return "have the network service take its settings over"
	case Registry:
		return "fetch images by the new settings"
	case Logging:
		return "send logs to where they are to go now"
	case Console:
		return "take over accounts, keys and files"
	case Services:
		return "apply which services run"
	case Restart:
		return fmt.Sprintf("restart %s, which reads its files at its start", a.Service)
	case Next:
		return "done at the next boot"
	case NextLogin:
		return "seen at the next login"
	case Instance:
		return "done once for each instance, and not again on this one"
	}
	return "nothing that runs is concerned"
}
