package state

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/testudo-os/testudo/pkg/blockdev"
	"golang.org/x/sys/unix"
)

// machine is a fake: disks, what programs say, and which mounts fail.
type machine struct {
	disks  []blockdev.Found
	blank  map[string]bool
	status map[string]int   // exit status by program and arguments
	gone   bool             // there is no e2fsck
	room   map[string]int64 // by name of partition: its size when grown
	refuse map[string]error
	bytes  uint64
	inodes uint64

	did []string
}

func (m *machine) Find(label string) (out []blockdev.Found, err error) {
	for _, d := range m.disks {
		if d.Info.Label == label {
			out = append(out, d)
		}
	}
	return out, nil
}

func (m *machine) Disks() (out []blockdev.Device, err error) {
	for _, d := range m.disks {
		out = append(out, d.Device)
	}
	return out, nil
}

func (m *machine) Empty(d blockdev.Device) (bool, error) {
	if d.Name == "broken" {
		return false, errors.New("medium error")
	}
	return m.blank[d.Path], nil
}

func (m *machine) Grow(d blockdev.Device) (int64, error) {
	if d.Name == "broken" {
		return 0, errors.New("medium error")
	}
	if m.room[d.Name] > 0 {
		m.did = append(m.did, "grow "+d.Path)
	}
	return m.room[d.Name], nil
}

func (m *machine) Run(_ context.Context, path string, args ...string) (int, string, error) {
	line := path + " " + strings.Join(args, " ")
	if strings.Contains(path, "mke2fs") {
		line = "mke2fs " + args[len(args)-1]
	}
	m.did = append(m.did, strings.TrimPrefix(line, "/usr/sbin/"))
	if m.gone {
		return 0, "", fmt.Errorf("start %s: %w", path, unix.ENOENT)
	}
	return m.status[strings.TrimPrefix(line, "/usr/sbin/")], "one\ntwo\nthree\nlast words\n", nil
}

func (m *machine) Mount(source, target, fstype string, flags uintptr, data string) error {
	what := fmt.Sprintf("mount %s %s", source, target)
	if flags&unix.MS_RDONLY != 0 {
		what += " ro"
	}
	m.did = append(m.did, what)
	return m.refuse[what]
}

func (m *machine) Mkdir(string) error { return nil }

func (m *machine) Free(string) (uint64, uint64, error) { return m.bytes, m.inodes, nil }

func disk(path string, change func(*blockdev.Found)) blockdev.Found {
	f := blockdev.Found{
		Device: blockdev.Device{Name: strings.TrimPrefix(path, "/dev/"), Path: path, Size: 1 << 30},
		Info:   blockdev.Info{Type: blockdev.Ext, Label: "TESTUDO_STATE", Clean: true},
	}
	if change != nil {
		change(&f)
	}
	return f
}

func empty(path string) blockdev.Found {
	return disk(path, func(f *blockdev.Found) { f.Info = blockdev.Info{} })
}

func partition(f *blockdev.Found) { f.Partition, f.PartName = true, "TESTUDO_STATE" }

func newPartition(path string) blockdev.Found {
	return disk(path, func(f *blockdev.Found) { partition(f); f.Info = blockdev.Info{} })
}

func dirty(f *blockdev.Found) { f.Info.Clean = false }

func TestAttach(t *testing.T) {
	overlay := []string{"mount /dev/vda /run/testudo/state/disk ro", "mount tmpfs /run/testudo/state/ram", "mount overlay /state"}
	tests := []struct {
		name    string
		machine machine
		request Request
		did     []string
		mode    string
		device  string
		reason  string // part of it
		warning string // part of one; "" for none at all
	}{
		{
			name:    "a clean disk is mounted without a check",
			machine: machine{disks: []blockdev.Found{disk("/dev/vda", nil)}},
			did:     []string{"mount /dev/vda /state"}, mode: ModeDisk, device: "/dev/vda",
		}, {
			name:    "a disk that was in use is checked first",
			machine: machine{disks: []blockdev.Found{disk("/dev/vda", dirty)}},
			did:     []string{"e2fsck -p /dev/vda", "mount /dev/vda /state"}, mode: ModeDisk, device: "/dev/vda",
		}, {
			name:    "repaired errors are told",
			machine: machine{disks: []blockdev.Found{disk("/dev/vda", dirty)}, status: map[string]int{"e2fsck -p /dev/vda": 1}},
			did:     []string{"e2fsck -p /dev/vda", "mount /dev/vda /state"}, mode: ModeDisk, device: "/dev/vda",
			reason: "errors on /dev/vda were repaired", warning: "exit 1: two / three / last words",
		}, {
			name:    "a disk that e2fsck gives up on is only read",
			machine: machine{disks: []blockdev.Found{disk("/dev/vda", dirty)}, status: map[string]int{"e2fsck -p /dev/vda": 4}},
			did:     append([]string{"e2fsck -p /dev/vda"}, overlay...), mode: ModeReadOnly, device: "/dev/vda",
			reason: "testudo.state.repair", warning: "nothing that is written now lasts",
		}, {
			name:    "the same with repair asked for is repaired",
			machine: machine{disks: []blockdev.Found{disk("/dev/vda", dirty)}, status: map[string]int{"e2fsck -p /dev/vda": 4, "e2fsck -f -y /dev/vda": 1}},
			request: Request{Repair: true},
			did:     []string{"e2fsck -p /dev/vda", "e2fsck -f -y /dev/vda", "mount /dev/vda /state"}, mode: ModeDisk, device: "/dev/vda",
			reason: "were repaired", warning: "exit 1",
		}, {
			name:    "without e2fsck the kernel's own journal replay has to do",
			machine: machine{disks: []blockdev.Found{disk("/dev/vda", dirty)}, gone: true},
			did:     []string{"e2fsck -p /dev/vda", "mount /dev/vda /state"}, mode: ModeDisk, device: "/dev/vda",
			warning: "is not checked",
		}, {
			name:    "a write-protected disk is read and not checked",
			machine: machine{disks: []blockdev.Found{disk("/dev/vda", func(f *blockdev.Found) { f.ReadOnly = true; f.Info.Clean = false })}},
			did:     overlay, mode: ModeReadOnly, device: "/dev/vda", reason: "write-protected", warning: "nothing that is written now lasts",
		}, {
			name: "a disk that cannot be mounted at all leaves RAM",
			machine: machine{disks: []blockdev.Found{disk("/dev/vda", nil)}, refuse: map[string]error{
				"mount /dev/vda /state": unix.EIO, "mount /dev/vda /run/testudo/state/disk ro": unix.EUCLEAN}},
			did:  []string{"mount /dev/vda /state", "mount /dev/vda /run/testudo/state/disk ro", "mount tmpfs /state"},
			mode: ModeRAM, reason: "structure needs cleaning",
		}, {
			name:    "a full disk is used, with a warning",
			machine: machine{disks: []blockdev.Found{disk("/dev/vda", nil)}, bytes: 4096},
			did:     []string{"mount /dev/vda /state"}, mode: ModeDisk, device: "/dev/vda", warning: "/dev/vda is full: 4 KiB are free",
		}, {
			name:    "a disk without inodes is full as well",
			machine: machine{disks: []blockdev.Found{disk("/dev/vda", nil)}, bytes: 1 << 30, inodes: 3},
			did:     []string{"mount /dev/vda /state"}, mode: ModeDisk, device: "/dev/vda", warning: "3 files can be made",
		}, {
			name:    "of two disks with the label the first is used",
			machine: machine{disks: []blockdev.Found{disk("/dev/vda", nil), disk("/dev/vdb", nil)}},
			did:     []string{"mount /dev/vda /state"}, mode: ModeDisk, device: "/dev/vda", warning: "/dev/vda, /dev/vdb are all labelled",
		}, {
			name: "no disk leaves RAM",
			did:  []string{"mount tmpfs /state"}, mode: ModeRAM, reason: "no disk is labelled TESTUDO_STATE",
		}, {
			name:    "an empty disk is left alone when nobody asked",
			machine: machine{disks: []blockdev.Found{empty("/dev/vda")}, blank: map[string]bool{"/dev/vda": true}},
			did:     []string{"mount tmpfs /state"}, mode: ModeRAM, reason: "no disk is labelled",
		}, {
			name:    "an empty disk is formatted when asked",
			machine: machine{disks: []blockdev.Found{empty("/dev/vda"), empty("/dev/vdb")}, blank: map[string]bool{"/dev/vdb": true}},
			request: Request{Autoformat: "true"},
			did:     []string{"mke2fs /dev/vdb", "mount /dev/vdb /state"}, mode: ModeDisk, device: "/dev/vdb", reason: "/dev/vdb was empty and has been formatted",
		}, {
			name:    "a disk with data is never formatted, also when it is named",
			machine: machine{disks: []blockdev.Found{empty("/dev/vda"), empty("/dev/vdb")}, blank: map[string]bool{"/dev/vdb": true}},
			request: Request{Autoformat: "/dev/vda"},
			did:     []string{"mount tmpfs /state"}, mode: ModeRAM, reason: "/dev/vda is not empty",
		}, {
			name:    "a disk that is named and not there is said so",
			request: Request{Autoformat: "/dev/vdz"},
			did:     []string{"mount tmpfs /state"}, mode: ModeRAM, reason: "there is no disk /dev/vdz",
		}, {
			name:    "a disk that cannot be read is never formatted",
			machine: machine{disks: []blockdev.Found{empty("/dev/broken")}, blank: map[string]bool{"/dev/broken": true}},
			request: Request{Autoformat: "true"},
			did:     []string{"mount tmpfs /state"}, mode: ModeRAM, reason: "none is empty", warning: "medium error",
		}, {
			name:    "virtual devices are never formatted",
			machine: machine{disks: []blockdev.Found{empty("/dev/loop3"), empty("/dev/dm-0"), empty("/dev/sr0")}, blank: map[string]bool{"/dev/loop3": true, "/dev/dm-0": true, "/dev/sr0": true}},
			request: Request{Autoformat: "true"},
			did:     []string{"mount tmpfs /state"}, mode: ModeRAM, reason: "none is empty",
		}, {
			name:    "a disk with the label is not formatted again",
			machine: machine{disks: []blockdev.Found{disk("/dev/vda", nil), empty("/dev/vdb")}, blank: map[string]bool{"/dev/vdb": true}},
			request: Request{Autoformat: "true"},
			did:     []string{"mount /dev/vda /state"}, mode: ModeDisk, device: "/dev/vda",
		}, {
			name:    "formatting that fails leaves RAM",
			machine: machine{disks: []blockdev.Found{empty("/dev/vda")}, blank: map[string]bool{"/dev/vda": true}, status: map[string]int{"mke2fs /dev/vda": 1}},
			request: Request{Autoformat: "true"},
			did:     []string{"mke2fs /dev/vda", "mount tmpfs /state"}, mode: ModeRAM, reason: "formatting /dev/vda failed", warning: "last words",
		},
		{
			name:    "an empty partition with the name is grown and formatted, though nobody asked",
			machine: machine{disks: []blockdev.Found{newPartition("/dev/vda2")}, blank: map[string]bool{"/dev/vda2": true}, room: map[string]int64{"vda2": 2 << 30}},
			did:     []string{"grow /dev/vda2", "mke2fs /dev/vda2", "mount /dev/vda2 /state"}, mode: ModeDisk, device: "/dev/vda2", reason: "/dev/vda2 was empty and has been formatted",
		}, {
			name:    "a partition with the name and something in it is left alone",
			machine: machine{disks: []blockdev.Found{newPartition("/dev/vda2")}},
			did:     []string{"mount tmpfs /state"}, mode: ModeRAM, reason: "/dev/vda2 has that name, but holds something else",
		}, {
			name:    "an empty partition of another name is never formatted",
			machine: machine{disks: []blockdev.Found{disk("/dev/vda2", func(f *blockdev.Found) { f.Partition = true; f.Info = blockdev.Info{} })}, blank: map[string]bool{"/dev/vda2": true}},
			request: Request{Autoformat: "true"},
			did:     []string{"mount tmpfs /state"}, mode: ModeRAM, reason: "none is empty",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := tt.machine
			if m.bytes == 0 && m.inodes == 0 {
				m.bytes, m.inodes = 1<<30, 1<<20
			}
			got := Attach(context.Background(), &m, tt.request)
			if !reflect.DeepEqual(m.did, tt.did) {
				t.Errorf("did %q\nwant %q", m.did, tt.did)
			}
			if got.Mode != tt.mode || got.Device != tt.device {
				t.Errorf("mode %q on %q, want %q on %q", got.Mode, got.Device, tt.mode, tt.device)
			}
			if !strings.Contains(got.Reason, tt.reason) || tt.reason == "" && got.Reason != "" {
				t.Errorf("reason %q, want %q", got.Reason, tt.reason)
			}
			warnings := strings.Join(got.Warnings, "\n")
			if !strings.Contains(warnings, tt.warning) || tt.warning == "" && warnings != "" {
				t.Errorf("warnings %q, want %q", warnings, tt.warning)
			}
		})
	}
}
