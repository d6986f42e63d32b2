package qemutests

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// exitOf is a command's exit code and what it wrote; -1: it did not run.
func (s *session) exitOf(command string) (code int, out string) {
	s.m.t.Helper()
	out, err := s.try(command)
	var exit *ssh.ExitError
	switch {
	case err == nil:
		return 0, out
	case errors.As(err, &exit):
		return exit.ExitStatus(), out
	}
	s.m.t.Errorf("%s: %v", command, err)
	return -1, out
}

// processIn finds a process of a service by a word of its command line.
func (s *session) processIn(service, word string) (pid string) {
	out, _ := s.try(fmt.Sprintf("for p in $(cat /sys/fs/cgroup/system/%s/cgroup.procs); do tr '\\0' ' ' </proc/$p/cmdline | grep -q '%s' && echo $p; done", service, word))
	return strings.TrimSpace(out)
}

func TestProgramsRunInAService(t *testing.T) {
	t.Parallel()
	m := boot(t, setup{})
	root := m.login("root")
	before := pids(root.waitReady(coreServices()...))
	root.put("/run/guest", "755", guestProgram(t))

	t.Run("streams and exit codes", func(t *testing.T) {
		for _, c := range []struct {
			command string
			code    int
			out     string
		}{
			{"ros service exec syslog sh -c 'echo out; echo err >&2; exit 7' 2>/dev/null", 7, "out\n"},
			{"ros service exec syslog sh -c 'echo out; echo err >&2' 2>&1 >/dev/null", 0, "err\n"},
			{"echo hello | ros service exec -i syslog cat", 0, "hello\n"},
			{"echo hello | ros service exec syslog cat", 0, ""},
			{"head -c 5000000 /dev/zero | ros service exec -i syslog sh -c 'sleep 2; wc -c'", 0, "5000000\n"},
			{"ros service exec syslog head -c 5000000 /dev/zero | (sleep 2; wc -c)", 0, "5000000\n"},
			{"ros service exec -e WORD=one -w /var/spool syslog sh -c 'echo $WORD $PWD'", 0, "one /var/spool\n"},
			{"ros service exec -u 65534:100 syslog sh -c 'id -u; id -g'", 0, "65534\n100\n"},
			{"ros service exec -u root syslog id -u", 0, "0\n"},
			{"ros service exec ntp id -u", 0, "102\n"},
			{"ros service exec syslog sh -c 'kill -9 $$'", 137, ""},
			{"ros service exec syslog nonsense 2>/dev/null", 126, ""},
			{"ros service exec -u nobody-here syslog id 2>/dev/null", 126, ""},
			{"ros service exec none true 2>/dev/null", 125, ""},
		} {
			if code, out := root.exitOf(c.command); code != c.code || out != c.out {
				t.Errorf("%s: exit %d, want %d\n%s", c.command, code, c.code, out)
			}
		}
		if out, err := root.try("ros service exec syslog nonsense 2>&1"); err == nil || !strings.Contains(out, "command nonsense not found in the image") {
			t.Errorf("%v: %s", err, out)
		}
	})
	t.Run("limits are the service's", func(t *testing.T) {
		own := root.run("grep -E '^(Cap|Seccomp:|NoNewPrivs)' /proc/" + fmt.Sprint(before["syslog"]) + "/status")
		if got := root.run("ros service exec syslog grep -E '^(Cap|Seccomp:|NoNewPrivs)' /proc/self/status"); got != own {
			t.Errorf("of the service:\n%s\nof what runs in it:\n%s", own, got)
		}
		root.run("ros service exec syslog sleep 4242 >/dev/null 2>&1 &")
		m.eventually(time.Minute, func() error {
			if root.processIn("syslog", "sleep 4242") == "" {
				return errors.New("it is not in the service's control group")
			}
			return nil
		})
	})
	t.Run("who goes takes the program along", func(t *testing.T) {
		root.run("kill -9 $(pidof ros)")
		m.eventually(time.Minute, func() error {
			if pid := root.processIn("syslog", "sleep 4242"); pid != "" {
				return fmt.Errorf("it is still there: %s", pid)
			}
			return nil
		})
	})
	t.Run("a terminal", func(t *testing.T) {
		script := "await # ; type stty size; await 33 99; size 50 132; type sleep 1; await # ; type stty size; await 50 132;" +
			" type echo on $TERM; await on xterm; type echo be\\gun && sleep 1000; await begun; key 3; await #; type echo code $?; await code 130; type exit 5"
		if code, out := root.exitOf("TERM=xterm /run/guest terminal '" + script + "' ros service exec -it syslog sh 2>&1"); code != 5 {
			t.Errorf("exit %d\n%s", code, out)
		}
		if code, out := root.exitOf("ros service exec -it syslog sh </dev/null 2>&1"); code != 125 || !strings.Contains(out, "no terminal") {
			t.Errorf("exit %d\n%s", code, out)
		}
	})
	t.Run("signals", func(t *testing.T) {
		root.run("(ros service exec syslog sh -c 'trap \"echo caught; exit 9\" USR1; echo waiting; while :; do sleep 0.2; done' >/run/said 2>&1; echo $? >>/run/said) >/dev/null 2>&1 &")
		m.eventually(time.Minute, func() error {
			if out := root.run("cat /run/said"); !strings.Contains(out, "waiting") {
				return fmt.Errorf("it said %q", out)
			}
			return nil
		})
		root.run("kill -USR1 $(pidof ros)")
		m.eventually(time.Minute, func() error {
			if out := root.run("cat /run/said"); out != "waiting\ncaught\n9\n" {
				return fmt.Errorf("it said %q", out)
			}
			return nil
		})
	})
	t.Run("events", func(t *testing.T) {
		if out := root.run("ros events"); !strings.Contains(out, "exec ntp: running: id -u, for user id 0: exit 0 after ") {
			t.Errorf("ros events:\n%s", out)
		}
	})
	t.Run("containerd is killed meanwhile", func(t *testing.T) {
		root.run("(ros service exec syslog sh -c 'sleep 10; echo still; exit 4' >/run/said 2>&1; echo $? >>/run/said) >/dev/null 2>&1 &")
		root.run("sleep 2; kill -9 " + pidOf(root, "containerd"))
		m.eventually(time.Minute, func() error {
			if out := root.run("cat /run/said"); out != "still\n4\n" {
				return fmt.Errorf("it said %q", out)
			}
			return nil
		})
	})
	t.Run("rosd is killed meanwhile", func(t *testing.T) {
		root.run("ros service exec syslog sleep 4243 >/dev/null 2>&1 &")
		m.eventually(time.Minute, func() error {
			if root.processIn("syslog", "sleep 4243") == "" {
				return errors.New("it does not run")
			}
			return nil
		})
		root.run("kill -9 " + pidOf(root, "rosd"))
		m.eventually(time.Minute, func() error {
			if pid := root.processIn("syslog", "sleep 4243"); pid != "" {
				return fmt.Errorf("nobody ends it: %s", pid)
			}
			return nil
		})
		if out := root.run("ls /run/testudo/io/syslog"); strings.Contains(out, "exec-") {
			t.Errorf("left behind: %s", out)
		}
	})
	if err := sameRunning(before, root.waitReady(coreServices()...), ""); err != nil {
		t.Error(err)
	}
}
