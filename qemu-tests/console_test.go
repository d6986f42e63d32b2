package qemutests

import (
	"regexp"
	"strings"
	"testing"
)

// expected are programs that people type without a thought.
const expected = `bash sh vi nano less cat grep sed awk find xargs sort tar gzip gunzip unzip xz bzip2 curl wget ssh scp sftp ssh-keygen
	ps top free uptime kill killall pkill pgrep watch df du mount umount lsblk blkid findmnt dmesg ip ss ping traceroute nslookup nc
	sudo su id groups passwd chown chmod ln date hostname uname env nproc lscpu lsmod modprobe sysctl mkfs.ext4 mkfs.vfat e2fsck fdisk
	logger tee wc head tail diff patch cmp md5sum sha256sum base64 hexdump tty stty reset clear ros poweroff reboot halt shutdown`

func theConsoleIsAPlaceToWork(t *testing.T, m *machine) {
	ros := m.login("ros")

	t.Run("the usual programs are there", func(t *testing.T) {
		if missing := ros.run("for c in " + strings.Join(strings.Fields(expected), " ") + "; do command -v $c >/dev/null || echo $c; done"); missing != "" {
			t.Errorf("these are missing: %s", missing)
		}
	})
	for command, want := range map[string]string{
		"x=grüße; echo ${#x} $LANG":                                    "5 C.UTF-8\n",
		"LC_ALL=C.UTF-8 bash -c :":                                     "",
		"sudo id -un":                                                  "root\n",
		"sudo -i sh -c 'echo $LANG $SHELL'":                            "C.UTF-8 /bin/bash\n",
		"sudo ping -c 1 -q 127.0.0.1 | grep -c ' 0% packet'":           "1\n",
		"readlink -f $(command -v poweroff); readlink -f /sbin/reboot": "/usr/bin/ros\n/usr/bin/ros\n",
	} {
		if got := ros.run(command); got != want {
			t.Errorf("%s says %q, not %q", command, got, want)
		}
	}
	t.Run("a shutdown that is not now is refused with a reason", func(t *testing.T) {
		out, err := ros.try("shutdown -h +5")
		if err == nil || !strings.Contains(err.Error(), "no other time is kept") {
			t.Errorf("shutdown -h +5: %q, %v", out, err)
		}
	})
	t.Run("on the serial console", func(t *testing.T) {
		sh := m.shell()
		if got := strings.TrimSpace(sh.run("tty; type -t ll")); got != "/dev/ttyS0\nalias" {
			t.Errorf("the shell says %q", got)
		}
		if got := sh.run("complete -p ros; systemctl"); !strings.Contains(got, "_ros_completion ros") || !strings.Contains(got, "ros service ls") {
			t.Errorf("completion and hints: %q", got)
		}
		sh.interrupt()
		sh.leaveAndReturn()
	})
	t.Run("a login on a terminal leaves no complaint in the log", func(t *testing.T) {
		if got := ros.run("ros service logs console"); regexp.MustCompile(`lastlog|[Ww]arning|error|[Ff]ailed`).MatchString(got) {
			t.Errorf("the console says:\n%s", got)
		}
	})
}

// interrupt starts what would run on for long, and ends it with ctrl-c.
func (s *serialShell) interrupt() {
	s.m.t.Helper()
	s.answer("sh -c 'echo WAIT\"ING\"; exec sleep 1000'\n", `WAITING`) // after what the shell tells the terminal
	s.answer("\x03", prompt.String())
}

// leaveAndReturn leaves the shell; a new one greets.
func (s *serialShell) leaveAndReturn() {
	s.m.t.Helper()
	pid := s.run("echo $$")
	s.answer("exit\n", `How it is: ros status`)
	mark := s.m.Mark()
	if _, err := s.m.WaitLineAfter(s.m.within(commandTime), mark, prompt); err != nil {
		s.m.t.Fatal(err)
	}
	if s.run("echo $$") == pid {
		s.m.t.Error("it is the same shell")
	}
}

// answer types, and waits for a line that answers.
func (s *serialShell) answer(text, want string) {
	s.m.t.Helper()
	mark := s.m.Mark()
	if err := s.m.Send(text); err != nil {
		s.m.t.Fatal(err)
	}
	if _, err := s.m.WaitLineAfter(s.m.within(commandTime), mark, regexp.MustCompile(want)); err != nil {
		s.m.t.Fatal(err)
	}
}
