package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/testudo-os/testudo/pkg/api"
	"github.com/testudo-os/testudo/pkg/cgroupstat"
	"github.com/testudo-os/testudo/pkg/layout"
)

// disks are the file systems on which state lives: what fills up.
func disks(machine api.Machine) []api.Disk {
	found := []api.Disk{}
	var fs unix.Statfs_t
	if err := unix.Statfs(layout.VarTestudo, &fs); err == nil {
		found = append(found, api.Disk{
			Path: layout.State, Device: machine.StateDevice, Size: int64(fs.Blocks) * fs.Bsize, Free: int64(fs.Bavail) * fs.Bsize,
		})
	}
	return found
}

// A disk is as good as full when less than both of these is free.
const (
	fullPart  = 20        // a twentieth
	fullBytes = 512 << 20 // of a large one, so much is no trouble yet
)

// fullDisks says which disks have hardly any room left.
func fullDisks(disks []api.Disk) (problems []string) {
	for _, d := range disks {
		if d.Size > 0 && d.Free < d.Size/fullPart && d.Free < fullBytes {
			problems = append(problems, fmt.Sprintf("%s is almost full: %d of %d MiB are free", d.Path, d.Free>>20, d.Size>>20))
		}
	}
	return problems
}

// addresses are those others can reach, by interface. rosd lives in the
// machine's own network namespace.
func addresses() []api.Address {
	found := []api.Address{}
	interfaces, err := net.Interfaces()
	if err != nil {
		return found
	}
	for _, i := range interfaces {
		if i.Flags&net.FlagUp == 0 || i.Flags&net.FlagLoopback != 0 {
			continue
		}
		list, err := i.Addrs()
		if err != nil {
			continue // it went away
		}
		for _, a := range list {
			if n, ok := a.(*net.IPNet); ok && n.IP.IsGlobalUnicast() {
				found = append(found, api.Address{Interface: i.Name, Address: n.String()})
			}
		}
	}
	return found
}

// Usage reads the control groups of what runs.
func (b *backend) Usage(ctx context.Context) ([]api.Usage, error) {
	services, err := b.manager.Services(ctx)
	if err != nil {
		return nil, err
	}
	var rows []api.Usage
	for _, s := range services {
		if s.PID == 0 {
			continue
		}
		now := time.Now()
		stat, err := cgroupstat.Read(filepath.Join("/sys/fs/cgroup", layout.Namespace, s.Name))
		if errors.Is(err, fs.ErrNotExist) {
			continue // it has ended since
		}
		if err != nil {
			return nil, err
		}
		rows = append(rows, api.Usage{
			Service: s.Name, PID: s.PID, Time: now, CPU: stat.CPU, Memory: stat.Memory, MemoryLimit: stat.MemoryLimit,
			Processes: stat.Processes, ReadBytes: stat.ReadBytes, WriteBytes: stat.WriteBytes,
		})
	}
	return rows, nil
}
