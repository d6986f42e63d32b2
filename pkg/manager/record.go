package manager

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/testudo-os/testudo/pkg/api"
	"github.com/testudo-os/testudo/pkg/atomicfile"
	"github.com/testudo-os/testudo/pkg/service"
)

// record is what the next rosd must know of a service and containerd does not.
type record struct {
	Status service.Status
	Boot   *bootTimes
}

const recordSuffix = ".json"

// save writes the records of what has changed. They are in RAM; a record that
// cannot be written costs the next rosd the history, not the service.
func (m *Manager) save() {
	for name := range m.dirty {
		if err := m.saveOne(name); err != nil {
			m.opt.Log.Warn("record of service "+name+" not kept", "error", err)
		}
	}
	clear(m.dirty)
}

func (m *Manager) saveOne(name string) error {
	path := filepath.Join(m.opt.Records, name+recordSuffix)
	st, known := m.status[name]
	if !known {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	data, err := json.Marshal(record{Status: st, Boot: m.boot[name]})
	if err != nil {
		return err
	}
	return atomicfile.Write(path, data, 0o600)
}

// restore reads the records an earlier rosd of this boot left. Whether what
// they say still runs, containerd tells later.
func (m *Manager) restore() {
	if err := os.MkdirAll(m.opt.Records, 0o700); err != nil {
		m.opt.Log.Warn("no records of services can be kept", "error", err)
		return
	}
	paths, err := filepath.Glob(filepath.Join(m.opt.Records, "*"+recordSuffix))
	if err != nil {
		return // the pattern is ours
	}
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), recordSuffix)
		var r record
		data, err := os.ReadFile(path)
		if err == nil {
			err = json.Unmarshal(data, &r)
		}
		if err != nil {
			m.opt.Log.Warn("record of service "+name+" cannot be read", "error", err)
			continue
		}
		if r.Status.Making() && r.Status.PID == 0 {
			// Its executor went with the earlier rosd.
			r.Status.State, r.Status.Reason = api.StateWaiting, "rosd was restarted while it was being created"
		}
		if r.Status.State == api.StateInvalid {
			// Its image may be here by now; what its file says is judged anew.
			r.Status.State, r.Status.Reason = api.StateWaiting, "rosd was restarted"
		}
		m.status[name] = r.Status
		if m.opt.Judged != nil && r.Status.Good != nil {
			m.opt.Judged(name, *r.Status.Good, r.Status.Refused)
		}
		if r.Boot != nil {
			m.boot[name] = r.Boot
		}
	}
	m.load(m.set) // what is invalid or disabled now is so, whatever it was
}
