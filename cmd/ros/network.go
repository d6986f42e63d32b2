package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/testudo-os/testudo/pkg/api"
	"github.com/testudo-os/testudo/pkg/netstatus"
)

// networkStatus shows the network; it fails when the machine is not online, as
// scripts like to know.
func networkStatus(ctx context.Context, s *session, _ []string) error {
	n, err := s.client().Network(ctx)
	if err != nil {
		return fmt.Errorf("network status: %w", err)
	}
	if s.json() {
		err = s.printJSON(n)
	} else {
		s.printf("%s", describeNetwork(n))
	}
	if err == nil && !n.Online {
		err = errSilent
	}
	return err
}

// networkWatch shows it anew whenever it changes.
func networkWatch(ctx context.Context, s *session, _ []string) error {
	out := s.stream(true)
	err := s.client().WatchNetwork(ctx, func(n api.Network) error {
		if s.json() {
			return out.add(n)
		}
		s.printf("%s %s\n%s\n", s.colored(faint, n.Time.UTC().Format("2006-01-02T15:04:05Z")), onlineText(n), linkTable(n))
		return nil
	})
	if ctx.Err() != nil {
		return nil // that is how watching ends
	}
	if err != nil {
		return fmt.Errorf("network watch: %w", err)
	}
	return out.end()
}

// networkDiag goes through what being online takes, step by step.
func networkDiag(ctx context.Context, s *session, _ []string) error {
	n, err := s.client().Network(ctx)
	if err != nil {
		return fmt.Errorf("network diag: %w", err)
	}
	if s.json() {
		err = s.printJSON(n.Checks)
	} else {
		s.printf("%s", diagnose(n))
	}
	if err == nil && !n.Online {
		err = errSilent
	}
	return err
}

func onlineText(n api.Network) string {
	if n.Online {
		return "online"
	}
	return "NOT ONLINE: " + n.Why
}

// describeNetwork is the network for people: how it is, then each interface.
func describeNetwork(n api.Network) string {
	rows := [][]string{{"network", onlineText(n)}}
	if len(n.DNS.Servers) > 0 {
		rows = append(rows, []string{"dns", strings.Join(n.DNS.Servers, ", ")})
	}
	if len(n.DNS.Search) > 0 {
		rows = append(rows, []string{"search", strings.Join(n.DNS.Search, ", ")})
	}
	rows = append(rows, []string{"firewall", map[bool]string{true: "on", false: "off"}[n.Firewall]})
	for _, p := range n.Problems {
		rows = append(rows, []string{"problem", p})
	}
	text := align(rows) + "\n" + linkTable(n)
	for _, l := range n.Links {
		text += details(n, l)
	}
	return text
}

func linkTable(n api.Network) string {
	rows := [][]string{{"LINK", "KIND", "STATE", "MTU", "WHAT"}}
	for _, l := range n.Links {
		mtu := "-"
		if l.MTU != 0 {
			mtu = strconv.Itoa(l.MTU)
		}
		rows = append(rows, []string{l.Name, l.Kind, l.State, mtu, l.Text})
	}
	return align(rows)
}

// details are the addresses, routes and leases of one interface.
func details(n api.Network, l netstatus.NetworkLink) string {
	var rows [][]string
	for _, a := range l.Addresses {
		text := a.From
		if a.Until != nil {
			text += ", for " + age(a.Until.Sub(n.Time))
		}
		if a.Note != "" {
			text += ", " + a.Note
		}
		rows = append(rows, []string{"  address", a.Address, text})
	}
	for _, r := range l.Routes {
		way := r.Type
		if r.Gateway != "" {
			way = strings.TrimSpace(way + " via " + r.Gateway)
		}
		text := fmt.Sprintf("%s metric %d, %s", way, r.Metric, r.From)
		if r.Table != 0 {
			text += fmt.Sprintf(", table %d", r.Table)
		}
		rows = append(rows, []string{"  route", r.To, strings.TrimSpace(text)})
	}
	for _, lease := range l.Leases {
		rows = append(rows, []string{"  " + lease.Protocol, lease.State, leaseText(n.Time, lease)})
	}
	if len(l.DNS.Servers)+len(l.DNS.Search) > 0 {
		rows = append(rows, []string{"  dns", strings.Join(l.DNS.Servers, ", "), strings.Join(l.DNS.Search, ", ")})
	}
	for _, p := range l.Problems {
		rows = append(rows, []string{"  problem", p, ""})
	}
	if len(rows) == 0 {
		return ""
	}
	head := l.Name
	for _, part := range []string{l.MAC, l.Driver, l.Path} {
		if part != "" {
			head += "  " + part
		}
	}
	if l.Master != "" {
		head += "  in " + l.Master
	}
	return "\n" + head + "\n" + align(rows)
}

func leaseText(now time.Time, l netstatus.NetworkLease) string {
	var parts []string
	if l.Server != "" {
		parts = append(parts, "server "+l.Server)
	}
	if l.Renew != nil {
		parts = append(parts, "renewed in "+age(l.Renew.Sub(now)))
	}
	if l.Expires != nil {
		parts = append(parts, "ends in "+age(l.Expires.Sub(now)))
	}
	for _, p := range l.Prefixes {
		parts = append(parts, "prefix "+p)
	}
	return strings.Join(parts, ", ")
}

func diagnose(n api.Network) string {
	var rows [][]string
	for _, c := range n.Checks {
		rows = append(rows, []string{map[bool]string{true: "ok", false: "NO"}[c.OK], c.Name, c.Detail})
	}
	text := align(rows)
	for _, l := range n.Links {
		for _, p := range l.Problems {
			text += l.Name + ": " + p + "\n"
		}
	}
	for _, p := range n.Problems {
		text += p + "\n"
	}
	if n.Online {
		return text + "The machine is online.\n"
	}
	text += "The machine is NOT ONLINE: " + n.Why + "\n"
	if n.Ready {
		text += "What waits for the network no longer waits (testudo.network.online.timeout).\n"
	}
	return text
}
