package host

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/testudo-os/testudo/pkg/netconf"
)

// Load reads what an earlier run of the service knew of an interface. Indexes
// are never given twice in one boot, and the folder lives as long as the boot.
func (h *Host) Load(index int) (netconf.Record, bool) {
	var r netconf.Record
	b, err := os.ReadFile(h.recordPath(index))
	if err != nil || json.Unmarshal(b, &r) != nil {
		return netconf.Record{}, false
	}
	return r, true
}

// Save keeps it for the next run.
func (h *Host) Save(index int, r netconf.Record) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("encode record: %w", err)
	}
	if h.saved[index] == string(b) {
		return nil
	}
	if err := replace(h.recordPath(index), b); err != nil {
		return err
	}
	h.saved[index] = string(b)
	return nil
}

// Discard forgets an interface.
func (h *Host) Discard(index int) {
	delete(h.saved, index)
	if err := os.Remove(h.recordPath(index)); err != nil && !errors.Is(err, os.ErrNotExist) {
		h.Log("%v", err)
	}
}

func (h *Host) recordPath(index int) string {
	return filepath.Join(h.RunDir, strconv.Itoa(index)+".json")
}

// ownedFile lies beside the records of interfaces.
const ownedFile = "owned.json"

// LoadOwned reads what an earlier run of the service has made.
func (h *Host) LoadOwned() (netconf.Owned, bool) {
	var o netconf.Owned
	b, err := os.ReadFile(filepath.Join(h.RunDir, ownedFile))
	if err != nil || json.Unmarshal(b, &o) != nil {
		return netconf.Owned{}, false
	}
	return o, true
}

// SaveOwned keeps it for the next run.
func (h *Host) SaveOwned(o netconf.Owned) error {
	b, err := json.MarshalIndent(o, "", "  ")
	if err != nil {
		return fmt.Errorf("encode what is owned: %w", err)
	}
	return replace(filepath.Join(h.RunDir, ownedFile), b)
}

// Tell writes the state of the network for people and programs.
func (h *Host) Tell(p netconf.Picture) error {
	if h.Status == "" {
		return nil
	}
	now, wall := h.Now(), time.Now()
	at := func(m netconf.Moment, known bool) *time.Time {
		if !known || m == netconf.Never {
			return nil
		}
		t := wall.Add(time.Duration(m - now)).Round(time.Second)
		return &t
	}
	s := p.Network
	s.Time = wall
	for i := range s.Links {
		l := &s.Links[i]
		for j := range l.Addresses {
			until, known := p.Until[fmt.Sprintf("%d %s", l.Index, l.Addresses[j].Address)]
			l.Addresses[j].Until = at(until, known)
		}
		for j := range l.Leases {
			key := fmt.Sprintf("%d %s", l.Index, l.Leases[j].Protocol)
			renew, known := p.Renew[key]
			l.Leases[j].Renew = at(renew, known)
			expires, known := p.Expires[key]
			l.Leases[j].Expires = at(expires, known)
		}
	}
	b, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("encode the state of the network: %w", err)
	}
	return replace(h.Status, append(b, '\n'))
}

// Publish writes resolv.conf and the time servers that DHCP named.
func (h *Host) Publish(resolvConf, chronySources string) error {
	return errors.Join(
		replace(h.Resolv, []byte(resolvConf)),
		replace(filepath.Join(h.RunDir, "ntp", "dhcp.sources"), []byte(chronySources)),
	)
}

// replace writes a file so that readers see the old or the new one, whole. No
// fsync: /run is RAM.
func replace(path string, b []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	next := path + ".new"
	if err := os.WriteFile(next, b, 0o644); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.Rename(next, path); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
