package qemu

import (
	"slices"
	"strings"
	"testing"
)

func TestArguments(t *testing.T) {
	for _, test := range []struct {
		name  string
		cfg   Config
		has   []string
		lacks []string
	}{
		{"a plain machine has 1 GiB, two processors and ends at a reset", Config{},
			[]string{"-m 1024", "-smp 2", "thread=multi", "-no-reboot", "-netdev user,id=net0"}, []string{"hostfwd", "-kernel"}},
		{"a machine that may reboot is not ended by it", Config{Reboot: true}, nil, []string{"-no-reboot"}},
		{"counted instructions take one processor and no threads", Config{Accel: Counted},
			[]string{"-icount shift=0,sleep=off", "-smp 1", "thread=single"}, []string{"thread=multi"}},
		{"host port 0 lets the kernel choose", Config{Forwards: []Forward{{Guest: 22}}},
			[]string{"hostfwd=tcp:127.0.0.1:0-:22"}, nil},
		{"no network is no card", Config{Network: NoNet}, []string{"-nic none"}, []string{"-netdev"}},
		{"a silent network is a hub with nobody else on it", Config{Network: SilentNet}, []string{"-netdev hubport"}, []string{"-netdev user"}},
		{"disks come in order with their serials", Config{Disks: []Disk{{Path: "a", Serial: "one"}, {Path: "b", Bus: "nvme"}}, Seed: "c"},
			[]string{"file=a", "drive=disk0,id=dev-disk0,serial=one", "nvme,drive=disk1,id=dev-disk1,serial=b", "file=c,discard=unmap,readonly=on"}, nil},
		{"UEFI is two flash chips, and only the variables can be written", Config{UEFI: &UEFI{Code: "code", Variables: "vars"}, DiskImage: "d"},
			[]string{"unit=0,format=raw,readonly=on,file=code", "unit=1,format=raw,file=vars", "file=d"}, nil},
		{"the terminal takes the place of the serial socket", Config{Terminal: true, SerialLog: "log"},
			[]string{"stdio,id=serial", "logfile=log"}, []string{"socket,id=serial"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			args, err := test.cfg.arguments()
			if err != nil {
				t.Fatal(err)
			}
			line := strings.Join(args, " ")
			for _, s := range test.has {
				if !strings.Contains(line, s) {
					t.Errorf("no %q in %s", s, line)
				}
			}
			for _, s := range test.lacks {
				if strings.Contains(line, s) {
					t.Errorf("%q in %s", s, line)
				}
			}
		})
	}
}

func TestMachinesThatCannotBeAreRefused(t *testing.T) {
	for name, cfg := range map[string]Config{
		"a comma in a file name":              {Initrd: "a,b", Kernel: "k"},
		"two processors and counting":         {Accel: Counted, CPUs: 2},
		"a forward without a network":         {Network: NoNet, Forwards: []Forward{{Guest: 22}}},
		"kernel arguments without a kernel":   {Append: "quiet"},
		"a disk on a bus that does not exist": {Disks: []Disk{{Path: "a", Bus: "isa"}}},
	} {
		if args, err := cfg.arguments(); err == nil {
			t.Errorf("%s: %q", name, args)
		}
	}
}

func TestExtraArgumentsComeLast(t *testing.T) {
	args, err := Config{Extra: []string{"-device", "i6300esb"}}.arguments()
	if err != nil || !slices.Equal(args[len(args)-2:], []string{"-device", "i6300esb"}) {
		t.Errorf("%q, %v", args, err)
	}
}

func TestParseUsernetReadsWhatQEMUPrints(t *testing.T) {
	text := "Hub -1 (net0):\r\n  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ\r\n" +
		"  TCP[HOST_FORWARD]   3       127.0.0.1 35895       10.0.2.15    22     0     0\r\n" +
		"  TCP[ESTABLISHED]   14       127.0.0.1 35895       10.0.2.15  8080     0     0\r\n"
	got := parseUsernet(text)
	if len(got) != 1 || got[22] != 35895 {
		t.Errorf("got %v", got)
	}
}

func FuzzParseUsernet(f *testing.F) {
	f.Add("  TCP[HOST_FORWARD]   3       127.0.0.1 35895       10.0.2.15    22     0     0\n")
	f.Fuzz(func(t *testing.T, text string) {
		if n := len(parseUsernet(text)); n > strings.Count(text, "TCP[HOST_FORWARD]") {
			t.Errorf("%d ports out of %q", n, text)
		}
	})
}
