package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/testudo-os/testudo/pkg/api"
	"github.com/testudo-os/testudo/pkg/kmod"
	"github.com/testudo-os/testudo/pkg/kmsg"
	"github.com/testudo-os/testudo/pkg/layout"
	"github.com/testudo-os/testudo/pkg/supervise"
	"golang.org/x/sys/unix"
)

func TestTheStepsOfTheBoot(t *testing.T) {
	at := map[string]int{}
	var needed []string
	for i, s := range (&machine{}).steps() {
		if !regexp.MustCompile(`^[a-z][a-z-]*$`).MatchString(s.Name) {
			t.Errorf("%q cannot be named on a kernel command line", s.Name)
		}
		if _, twice := at[s.Name]; twice {
			t.Errorf("two steps are named %s", s.Name)
		}
		at[s.Name] = i
		if s.Needed {
			needed = append(needed, s.Name)
		}
	}
	// Only without its programs can the machine do nothing at all.
	if want := []string{"system-image", "root"}; !slices.Equal(needed, want) {
		t.Errorf("the boot stops without %q, want %q", needed, want)
	}
	for _, order := range [][]string{
		{"kernel-filesystems", "kernel-log", "kernel-arguments"},
		{"reaper", "state-disk"},                                            // e2fsck is a child
		{"boot-modules", "system-image", "root", "filesystems"},             //
		{"drivers", "state-disk", "machine-id"},                             //
		{"state-disk", "clock"},                                             // the last shutdown's time
		{"state-disk", "random-seed", "processes", "services"},              // undone in reverse
		{"machine-id", "services"},                                          // rosd waits for the latter
		{"root", "drivers", "folders", "containerd", "rosd", "boot-record"}, //
	} {
		for i := 1; i < len(order); i++ {
			if at[order[i-1]] >= at[order[i]] {
				t.Errorf("%s must come before %s", order[i-1], order[i])
			}
		}
	}
}

func TestTheMachineRecordIsWhatTheAPIGives(t *testing.T) {
	text, err := json.Marshal(machineRecord{StateDevice: "/dev/vda", StateReason: "why", StateMode: "disk", Warnings: []string{"w"}})
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	var got api.Machine
	if err := decoder.Decode(&got); err != nil {
		t.Fatal(err)
	}
	if want := (api.Machine{StateDevice: "/dev/vda", StateReason: "why", StateMode: "disk", Warnings: []string{"w"}}); !reflect.DeepEqual(got, want) {
		t.Fatalf("got %+v", got)
	}
}

func TestAutoformat(t *testing.T) {
	tests := []struct {
		value string
		given bool
		want  string
	}{
		{"", false, ""}, {"", true, "true"}, {"true", true, "true"}, {"1", true, "true"},
		{"false", true, ""}, {"0", true, ""}, {"/dev/vdb", true, "/dev/vdb"},
	}
	for _, tt := range tests {
		if got := autoformat(tt.value, tt.given); got != tt.want {
			t.Errorf("autoformat(%q, %v) = %q, want %q", tt.value, tt.given, got, tt.want)
		}
	}
}

func TestWatchdogTimeout(t *testing.T) {
	tests := []struct {
		value string
		given bool
		want  time.Duration
		ok    bool
	}{
		{"", false, time.Minute, true}, {"0", true, 0, true}, {"30", true, 30 * time.Second, true},
		{"soon", true, time.Minute, false}, {"-1", true, time.Minute, false},
	}
	for _, tt := range tests {
		got, err := watchdogTimeout(tt.value, tt.given)
		if got != tt.want || (err == nil) != tt.ok {
			t.Errorf("watchdogTimeout(%q, %v) = %v, %v", tt.value, tt.given, got, err)
		}
	}
}

func TestClockFloor(t *testing.T) {
	file := filepath.Join(t.TempDir(), "seed")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	saved := time.Unix(2000, 0)
	if err := os.Chtimes(file, saved, saved); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, epoch string
		want        int64
	}{
		{"the build, when it is later", "3000", 3000},
		{"the last shutdown, when it is later", "1000", 2000},
		{"without a build the files", "", 2000},
		{"a build that is no number does not count", "x", 2000},
	} {
		if got := clockFloor(tt.epoch, "/nonesuch", file); got.Unix() != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got.Unix(), tt.want)
		}
	}
}

func TestOSRelease(t *testing.T) {
	const text = "NAME=\"Testudo\"\nVERSION_ID=\"1.2\"\nVERSION=x\n"
	if got := osReleaseValue(text, "VERSION_ID"); got != "1.2" {
		t.Errorf("got %q", got)
	}
	if got := osReleaseValue(text, "BUILD_ID"); got != "" {
		t.Errorf("got %q for what is not there", got)
	}
}

func TestSignals(t *testing.T) {
	want := map[syscall.Signal]action{
		layout.SigPowerOff: powerOff, syscall.SIGPWR: powerOff,
		layout.SigReboot: reboot, syscall.SIGTERM: reboot, syscall.SIGINT: reboot,
		layout.SigHalt: halt,
	}
	caught := map[syscall.Signal]bool{}
	for _, sig := range handled() {
		s, ok := sig.(syscall.Signal)
		if !ok {
			t.Fatalf("%T", sig)
		}
		caught[s] = true
		a, asks := actionFor(sig)
		if expected, is := want[s]; is != asks || is && a != expected {
			t.Errorf("%v asks for %v, %v", sig, a, asks)
		}
	}
	for s := range want {
		if !caught[s] {
			t.Errorf("%v is not caught", s)
		}
	}
	for _, s := range []syscall.Signal{syscall.SIGQUIT, syscall.SIGABRT, syscall.SIGHUP, syscall.SIGTRAP, syscall.SIGSYS, syscall.SIGPIPE} {
		if !caught[s] {
			t.Errorf("%v would end process 1", s)
		}
	}
}

func TestProcesses(t *testing.T) {
	status := func(name, nspid, ignored, caught string) string {
		return fmt.Sprintf("Name:\t%s\nState:\tS (sleeping)\nNSpid:\t%s\nVmSize:\t  100 kB\nSigIgn:\t%s\nSigCgt:\t%s\n", name, nspid, ignored, caught)
	}
	const none, term = "0000000000000000", "0000000000004000"
	proc := t.TempDir()
	for pid, text := range map[string]string{
		"1":    status("init", "1", none, term),
		"10":   status("plain", "10", none, none),
		"11":   status("deaf", "11", term, none),
		"12":   status("contained init", "12\t1", none, none),
		"13":   status("contained handler", "13\t1", none, term),
		"14":   "Name:\tkworker\nState:\tI (idle)\nNSpid:\t14\nSigIgn:\tffffffffffffffff\n",
		"15":   "Name:\tzombie\nState:\tZ (zombie)\nNSpid:\t15\n",
		"self": "",
	} {
		if err := os.MkdirAll(filepath.Join(proc, pid), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(proc, pid, "status"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got := map[string]bool{}
	for _, p := range processes(proc) {
		got[p.name] = p.heeds(unix.SIGTERM)
	}
	want := map[string]bool{"plain": true, "deaf": false, "contained init": false, "contained handler": true}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("who is left and heeds SIGTERM: %v, want %v", got, want)
	}
}

func FuzzParseStatus(f *testing.F) {
	f.Add("Name:\tx\nVmSize:\t1\nNSpid:\t1\t2\nSigCgt:\tff\n")
	f.Fuzz(func(t *testing.T, text string) {
		if _, ok := parseStatus(text); ok && !strings.Contains(text, "VmSize") {
			t.Fatal("a process without memory")
		}
	})
}

func TestForeignMountsAreThoseAboveTheMachinesOwn(t *testing.T) {
	got := foreign([]string{"/", "/proc", "/run", "/run/netns", "/state", "/home", "/mnt", "/mnt", "/state/docker/overlay"})
	want := []string{"/run/netns", "/state", "/home", "/mnt", "/state/docker/overlay"}
	if !slices.Equal(got, want) {
		t.Fatalf("got %q, want %q", got, want)
	}
}

func TestChildLog(t *testing.T) {
	var kernel bytes.Buffer
	name := filepath.Join(t.TempDir(), "x.log")
	now := time.Unix(0, 0)
	log := &childLog{name: "x", file: supervise.NewLogFile(name, 1<<20), log: kmsg.New("t", &kernel), now: func() time.Time { return now }}
	for _, line := range []string{
		`time="t" level=info msg="an error in the text only"`, `time="t" level=warning msg=w`, `{"level":"info"}`,
	} {
		log.line(line)
	}
	if kernel.Len() != 0 {
		t.Fatalf("lines of no weight reached the kernel log: %s", kernel.String())
	}
	for _, line := range []string{`level=error msg=e`, `{"level":"fatal"}`, `panic: oops`, `fatal error: all goroutines are asleep`} {
		log.line(line)
	}
	if got := strings.Count(kernel.String(), "\n"); got != 4 {
		t.Fatalf("%d lines of 4 reached the kernel log", got)
	}
	for range 100 {
		log.line("level=error again")
	}
	if got := strings.Count(kernel.String(), "\n"); got != kernelLines+1 {
		t.Fatalf("%d lines in a minute, want %d and the note that there are more", got, kernelLines)
	}
	now = now.Add(time.Minute)
	log.line("level=error a minute later")
	if !strings.Contains(kernel.String(), "a minute later") {
		t.Fatal("the next minute's first error is missing")
	}
	if text, err := os.ReadFile(name); err != nil || strings.Count(string(text), "\n") != 108 {
		t.Fatalf("the file has %d lines, want all 108 (%v)", strings.Count(string(text), "\n"), err)
	}
}

func TestOnlyDriversForDisksNetworksAndWatchdogsAreLoadedAtBoot(t *testing.T) {
	for path, want := range map[string]bool{
		"kernel/drivers/net/virtio_net.ko":      true,
		"kernel/drivers/block/virtio_blk.ko.xz": true,
		"kernel/drivers/scsi/virtio_scsi.ko":    true,
		"kernel/drivers/watchdog/i6300esb.ko":   true,
		"kernel/drivers/usb/storage/uas.ko":     true,
		"kernel/drivers/usb/misc/x.ko":          false,
		"kernel/arch/x86/kvm/kvm-amd.ko":        false,
		"kernel/sound/pci/hda/snd-hda-intel.ko": false,
		"kernel/drivers/gpu/drm/tiny/bochs.ko":  false,
		"kernel/drivers/network-like/x.ko":      false,
		"sha256-ssse3.ko":                       false,
	} {
		if got := wanted(&kmod.Module{Path: path}); got != want {
			t.Errorf("%s: %v", path, got)
		}
	}
}

func TestCopyTreeKeepsModesAndLinks(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	if err := os.MkdirAll(filepath.Join(from, "ssh"), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(from, "ssh", "key"), []byte("k"), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../run/resolv.conf", filepath.Join(from, "resolv.conf")); err != nil {
		t.Fatal(err)
	}
	// Something in the way of one entry does not keep the others out.
	if err := os.Symlink("elsewhere", filepath.Join(to, "resolv.conf")); err != nil {
		t.Fatal(err)
	}
	if err := copyTree(from, to); err == nil {
		t.Fatal("the entry that could not be copied is not told")
	}
	if err := os.Remove(filepath.Join(to, "resolv.conf")); err != nil {
		t.Fatal(err)
	}
	if err := copyTree(from, to); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(to, "ssh", "key"))
	if err != nil || info.Mode().Perm() != 0o640 {
		t.Fatalf("%v, %v", info, err)
	}
	if info, err := os.Stat(filepath.Join(to, "ssh")); err != nil || info.Mode().Perm() != 0o750 {
		t.Fatalf("%v, %v", info, err)
	}
	if link, err := os.Readlink(filepath.Join(to, "resolv.conf")); err != nil || link != "../run/resolv.conf" {
		t.Fatalf("%q, %v", link, err)
	}
}

func TestThreadsNamed(t *testing.T) {
	proc := t.TempDir()
	for pid, comm := range map[string]string{"7": "cryptomgr_test", "9": "kworker", "12": "cryptomgr_test", "sys": "cryptomgr_test"} {
		if err := os.MkdirAll(filepath.Join(proc, pid), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(proc, pid, "comm"), []byte(comm+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got := threadsNamed(proc, "cryptomgr_test")
	slices.Sort(got)
	if !slices.Equal(got, []int{7, 12}) {
		t.Fatalf("got %v", got)
	}
}

func TestMemoryKeptFree(t *testing.T) {
	for total, want := range map[float64]int{0: 128, 192 << 10: 1773, 1 << 20: 4096, 64 << 20: 32768, 1 << 40: 256 << 10} {
		if got := minFree(total); got != want {
			t.Errorf("of %v kB: %d kB, want %d", total, got, want)
		}
	}
}
