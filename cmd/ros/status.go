package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/testudo-os/testudo/pkg/api"
)

func osVersion(ctx context.Context, s *session, _ []string) error {
	v, err := s.client().Version(ctx)
	if err != nil {
		return err
	}
	if s.json() {
		return s.printJSON(v)
	}
	s.printf("%s\n", release(v))
	return nil
}

func release(v api.Version) string {
	text := v.Name + " " + v.Version
	if v.Build != "" {
		text += " (build " + v.Build + ")"
	}
	if v.Kernel != "" {
		text += ", Linux " + v.Kernel
	}
	return text
}

func status(ctx context.Context, s *session, _ []string) error {
	st, err := s.client().Status(ctx)
	if err != nil {
		return err
	}
	if s.json() {
		err = s.printJSON(st)
	} else {
		s.printf("%s", describe(st, s.now()))
	}
	if err == nil && (!st.Healthy || len(st.Config.Refused) > 0) {
		err = errSilent
	}
	return err
}

// describe is the status for people: how it is, then what is wrong.
func describe(st api.Status, now time.Time) string {
	health := "healthy"
	if !st.Healthy {
		health = "NOT HEALTHY"
		var missing []string
		for _, v := range st.Services {
			if v.Essential && !v.Ready {
				missing = append(missing, v.Name)
			}
		}
		if len(missing) > 0 {
			health += ": not ready: " + strings.Join(missing, ", ")
		}
	}
	rows := [][]string{
		{"machine", st.Hostname},
		{"release", release(st.Version)},
		{"health", health},
		{"uptime", age(time.Duration(st.Uptime * float64(time.Second)))},
		{"state", state(st.Machine) + room(st.Disks)},
		{"services", tally(st.Services)},
		{"last upgrade", lastUpgrade(st.LastUpgrade, now)},
	}
	if text := configuration(st.Config); text != "" {
		rows = append(rows, []string{"config", text})
	}
	text := align(append(rows, network(st)...))
	if rows := notReady(st.Services); len(rows) > 0 {
		text += "not ready\n" + align(rows)
	}
	var wrong []string
	for _, w := range st.Machine.Warnings {
		wrong = append(wrong, "  "+w)
	}
	for _, p := range st.Problems {
		wrong = append(wrong, "  "+p)
	}
	if len(wrong) > 0 {
		text += "problems\n" + strings.Join(wrong, "\n") + "\n"
	}
	return text
}

// configuration says when what is in force is not what the sources ask for.
func configuration(c api.ConfigStatus) string {
	var parts []string
	if len(c.Refused) > 0 {
		parts = append(parts, "REFUSED: "+strings.Join(c.Refused, "; "))
	}
	if c.TryUntil != nil {
		parts = append(parts, "on trial until "+c.TryUntil.Format(time.TimeOnly)+" UTC: `ros config confirm` keeps it")
	}
	return strings.Join(parts, "; ")
}

// lastUpgrade says how the last move of a service to another image went.
func lastUpgrade(l *api.LastUpgrade, now time.Time) string {
	if l == nil {
		return "none: services run the images of the release and of their files"
	}
	text := fmt.Sprintf("%s to %s, %s ago", l.Service, shortRef(l.Image), age(now.Sub(l.Time)))
	if l.Error != "" {
		text += fmt.Sprintf(": failed (%s), runs %s", l.Error, shortRef(l.Previous))
	}
	return text
}

// shortRef is an image's name with as much of its digest as tells it apart.
func shortRef(ref string) string {
	name, digest, pinned := strings.Cut(ref, "@")
	if !pinned {
		return ref
	}
	return name + "@" + shortDigest(digest)
}

func state(m api.Machine) string {
	text := ""
	switch m.StateMode {
	case "disk":
		text = "on " + m.StateDevice
	case "read-only":
		text = "on " + m.StateDevice + ", read-only: changes are lost at power-off"
	default:
		text = "in RAM: lost at power-off"
	}
	if m.StateReason != "" {
		text += " (" + m.StateReason + ")"
	}
	return text
}

// network is what the network service says, a row for each interface; without
// that service, the addresses that the machine has.
func network(st api.Status) [][]string {
	at := slices.IndexFunc(st.Services, func(v api.Service) bool { return v.Name == "network" && v.Reason != "" })
	if at < 0 {
		return [][]string{{"network", addresses(st.Addresses)}}
	}
	var rows [][]string
	label := "network"
	for line := range strings.SplitSeq(st.Services[at].Reason, "; ") {
		rows = append(rows, []string{label, line})
		label = ""
	}
	return rows
}

// room says how much is left where state lives.
func room(disks []api.Disk) string {
	text := ""
	for _, d := range disks {
		text += fmt.Sprintf(", %s of %s free", bytesText(d.Free), bytesText(d.Size))
	}
	return text
}

func addresses(list []api.Address) string {
	var parts []string
	for _, a := range list {
		parts = append(parts, a.Address+" on "+a.Interface)
	}
	if len(parts) == 0 {
		return "no address"
	}
	return strings.Join(parts, ", ")
}

// notReady lists services that are wanted and not ready, and why.
func notReady(services []api.Service) [][]string {
	var rows [][]string
	for _, v := range services {
		if !v.Ready && v.State != api.StateDisabled && v.State != api.StateStopped {
			rows = append(rows, []string{"  " + v.Name, string(v.State), v.Reason})
		}
	}
	return rows
}

// tally counts services by state, in the order of states of a service's life.
func tally(services []api.Service) string {
	count := map[api.State]int{}
	for _, v := range services {
		count[v.State]++
	}
	var parts []string
	for _, state := range []api.State{api.StateRunning, api.StateExited, api.StatePulling, api.StateStarting, api.StateWaiting, api.StateStopping,
		api.StateStopped, api.StateDisabled, api.StateBackoff, api.StateCrashLoop, api.StateInvalid} {
		if count[state] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", count[state], state))
		}
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, ", ")
}
