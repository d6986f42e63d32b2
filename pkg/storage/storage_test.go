package storage

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/testudo-os/testudo/pkg/blockdev"
	"github.com/testudo-os/testudo/pkg/config"
)

func parse(t *testing.T, text string) *config.Config {
	t.Helper()
	c, err := config.Parse("test.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func device(name string, kind blockdev.Type, label string) Device {
	d := Device{Found: blockdev.Found{Device: blockdev.Device{Name: name, Path: "/dev/" + name}, Info: blockdev.Info{Type: kind, Label: label, UUID: "u-" + name}}}
	d.Empty = kind == blockdev.None
	return d
}

// disks: vda the state, vdb empty, vdc data, vdd with two parts, nvme0n1 with one.
func disks() []Device {
	state := device("vda", blockdev.Ext, "TESTUDO_STATE")
	state.InUse = true
	parted := device("vdd", blockdev.GPT, "")
	parted.Partitions = 2
	first, second := device("vdd1", blockdev.None, ""), device("vdd2", blockdev.Ext, "data")
	first.Partition, second.Partition = true, true
	nvme := device("nvme0n1p1", blockdev.VFAT, "STICK")
	nvme.Partition = true
	return []Device{state, device("vdb", blockdev.None, ""), device("vdc", blockdev.XFS, "old"), parted, first, second, nvme}
}

func TestFormats(t *testing.T) {
	for _, tt := range []struct {
		name, cfg string
		again     bool
		want      []string
		problem   string
	}{
		{"an empty disk", "{device: /dev/vdb, filesystem: ext4, label: d}", false, []string{"/dev/vdb ext4 d"}, ""},
		{"a name below /dev", "{device: vdb, filesystem: ext4}", false, []string{"/dev/vdb ext4 "}, ""},
		{"a part by number", "{device: /dev/vdd, partition: 1, filesystem: ext4}", false, []string{"/dev/vdd1 ext4 "}, ""},
		{"a part by alias", "{device: disk.1, filesystem: swap}", false, []string{"/dev/vdd1 swap "}, ""},
		{"the first that is free", "{device: /dev/vdd, partition: auto, filesystem: ext4, label: new}", false, []string{"/dev/vdd1 ext4 new"}, ""},
		{"one that is there by its label", "{device: /dev/vdd, partition: auto, filesystem: ext4, label: data}", false, nil, ""},
		{"any that is there", "{device: /dev/vdd, partition: any, filesystem: ext4}", false, nil, ""},
		{"one that is there", "{device: /dev/vdd2, filesystem: ext4, label: data}", false, nil, ""},
		{"data is left alone", "{device: /dev/vdc, filesystem: ext4}", false, nil, `/dev/vdc holds data (xfs, label "old"): it is left alone`},
		{"unless it is to be overwritten", "{device: /dev/vdc, filesystem: ext4, overwrite: true}", false, []string{"/dev/vdc ext4 "}, ""},
		{"once for an instance", "{device: /dev/vdc, filesystem: ext4, overwrite: true}", true, nil, "it is left alone"},
		{"never the state disk", "{device: /dev/vda, filesystem: ext4, overwrite: true}", false, nil, "/dev/vda is in use"},
		{"never a disk with partitions", "{device: /dev/vdd, filesystem: ext4, overwrite: true}", false, nil, "/dev/vdd has partitions"},
		{"one that is there and mounted, when rosd starts again", "{device: /dev/vda, filesystem: ext4, label: TESTUDO_STATE}", true, nil, ""},
		{"nothing there", "{device: /dev/vdz, filesystem: ext4}", false, nil, "there is no device /dev/vdz"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := parse(t, "device_aliases: {disk: /dev/vdd}\nfs_setup: ["+tt.cfg+"]")
			formats, problems := Formats(cfg, disks(), !tt.again)
			var got []string
			for _, f := range formats {
				got = append(got, fmt.Sprintf("%s %s %s", f.Device, f.Type, f.Label))
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if all := fmt.Sprint(problems); tt.problem == "" && len(problems) > 0 || !strings.Contains(all, tt.problem) {
				t.Errorf("problems: %s, want %s", all, tt.problem)
			}
		})
	}
}

func TestMounts(t *testing.T) {
	for _, tt := range []struct {
		name, cfg string
		want      []string
		problem   string
	}{
		{"two fields are enough", "[/dev/vdc, /mnt/a]", []string{"/dev/vdc /mnt/a xfs"}, ""},
		{"by label", "[LABEL=STICK, /media/stick, auto, 'defaults,noexec']", []string{"/dev/nvme0n1p1 /media/stick vfat"}, ""},
		{"by UUID", "[UUID=U-VDD2, /mnt/a, ext4]", []string{"/dev/vdd2 /mnt/a ext4"}, ""},
		{"a part of an alias", "[nvme.1, /mnt/a]", []string{"/dev/nvme0n1p1 /mnt/a vfat"}, ""},
		{"swap", "[/dev/vdc, none, swap, sw, '0', '0']", []string{"/dev/vdc  swap"}, ""},
		{"outer ones first", "[/dev/vdc, /mnt/a/b], [/dev/vdd2, /mnt/a]", []string{"/dev/vdd2 /mnt/a ext4", "/dev/vdc /mnt/a/b xfs"}, ""},
		{"one that may be missing", "[/dev/vdz, /mnt/a]", nil, ""},
		{"one that may not", "[/dev/vdz, /mnt/a, auto, defaults]", nil, "there is no device /dev/vdz"},
		{"none there", "[/dev/vdb, /mnt/a]", nil, "/dev/vdb holds no file system"},
		{"taken away", "[/dev/vdc, /mnt/a], [/dev/vdc]", nil, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := parse(t, "device_aliases: {nvme: /dev/nvme0n1}\nmounts: ["+tt.cfg+"]")
			mounts, problems := Mounts(config.Merge(cfg), disks())
			var got []string
			for _, m := range mounts {
				got = append(got, fmt.Sprintf("%s %s %s", m.Device, m.Target, m.Type))
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if all := fmt.Sprint(problems); tt.problem == "" && len(problems) > 0 || !strings.Contains(all, tt.problem) {
				t.Errorf("problems: %s, want %s", all, tt.problem)
			}
		})
	}
}

func TestOptions(t *testing.T) {
	for text, want := range map[string]Mount{
		"defaults":                          {Flags: unix.MS_NODEV | unix.MS_NOSUID},
		"defaults,nofail,x-systemd.y":       {Flags: unix.MS_NODEV | unix.MS_NOSUID, NoFail: true},
		"ro,noexec,suid,dev":                {Flags: unix.MS_RDONLY | unix.MS_NOEXEC},
		"uid=1000,gid=1000,noatime,_netdev": {Flags: unix.MS_NODEV | unix.MS_NOSUID | unix.MS_NOATIME, Data: "uid=1000,gid=1000"},
	} {
		if got := parseOptions(text); got != want {
			t.Errorf("%s: got %+v, want %+v", text, got, want)
		}
	}
}

func TestWantedSwap(t *testing.T) {
	const gib = 1 << 30
	for text, want := range map[string]*SwapFile{
		"{}":                              nil,
		"{filename: /swapfile, size: 2G}": {swapFolder + "/swapfile", 2 * gib},
		"{filename: /var/lib/testudo/s, size: 512M}": {"/var/lib/testudo/s", 512 << 20},
		"{filename: /swap.img, size: auto}":          {swapFolder + "/swap.img", 1 * gib},
		"{size: auto, maxsize: 268435456}":           {swapFolder + "/swapfile", 256 << 20},
		"{size: 0}":                                  nil,
	} {
		got := WantedSwap(parse(t, "swap: "+text).Swap, gib, 40*gib)
		if (got == nil) != (want == nil) || got != nil && *got != *want {
			t.Errorf("%s: got %+v, want %+v", text, got, want)
		}
	}
	if got := WantedSwap(config.Swap{Size: "auto"}, 8*gib, 4*gib); got == nil || got.Size != gib {
		t.Errorf("a full disk: got %+v", got)
	}
}
