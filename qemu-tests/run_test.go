package qemutests

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/containerd/console"
)

// A person at a terminal types ./build.sh run, logs in, and powers off.
func TestRunAtATerminal(t *testing.T) {
	t.Parallel()
	h := getHost(t)
	h.slots <- struct{}{}
	defer func() { <-h.slots }()
	term := startAtTerminal(t, h, "go", "run", "./cmd/mkos", "run",
		"--kernel", h.dist("vmlinuz"), "--initrd", h.dist("initrd-core.img"), "--network", "isolated")

	term.waitFor(`@testudo:~\$ `)
	ssh := strings.TrimSpace(term.waitFor(`ssh -i [^\r\n]* ros@127\.0\.0\.1`))
	if _, err := exec.LookPath("ssh"); err != nil {
		t.Logf("there is no ssh here to try %s", ssh)
	} else {
		cmd := exec.CommandContext(t.Context(), "sh", "-c", ssh+" id -un") // it stands there to be pasted
		if out, err := cmd.CombinedOutput(); err != nil || string(out) != "ros\n" {
			t.Errorf("%s: %v, %q", cmd, err, out)
		}
	}
	// ctrl-c is the machine's: it ends sleep, not the machine.
	term.send("sh -c 'echo WAIT\"ING\"; exec sleep 1000'\n")
	term.waitFor(`WAITING`)
	term.send("\x03")
	term.waitFor(`@testudo:~\$ `)
	term.send("ros poweroff\n")
	if err := term.waitExit(); err != nil {
		t.Errorf("mkos run: %v", err)
	}
}

// terminal is a program that runs on a terminal of its own.
type terminal struct {
	t      *testing.T
	master console.Console
	ended  chan error

	mu   sync.Mutex
	text []byte
	mark int           // where the last send was
	more chan struct{} // closed and replaced when there is more text
}

func startAtTerminal(t *testing.T, h *host, argv ...string) *terminal {
	t.Helper()
	master, path, err := console.NewPty()
	if err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(path, os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = h.top, slave, slave, slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := errors.Join(cmd.Start(), slave.Close()); err != nil {
		t.Fatal(err)
	}
	term := &terminal{t: t, master: master, ended: make(chan error, 1), more: make(chan struct{})}
	go term.read()
	go func() { term.ended <- cmd.Wait() }()
	t.Cleanup(func() {
		// Hanging up ends the whole session, if it has not ended.
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGHUP)
		master.Close()
		if t.Failed() {
			t.Logf("the terminal's last words:\n%s", tail(term.said(), 4000))
		}
	})
	return term
}

func tail(b []byte, n int) []byte { return b[max(0, len(b)-n):] }

func (p *terminal) read() {
	buf := make([]byte, 4096)
	for {
		n, err := p.master.Read(buf)
		p.mu.Lock()
		p.text = append(p.text, buf[:n]...)
		close(p.more)
		p.more = make(chan struct{})
		p.mu.Unlock()
		if err != nil {
			return // EIO: nobody has the terminal open any more
		}
	}
}

func (p *terminal) said() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return bytes.Clone(p.text)
}

// send types. What is waited for next comes after it.
func (p *terminal) send(text string) {
	p.t.Helper()
	p.mu.Lock()
	p.mark = len(p.text)
	p.mu.Unlock()
	if _, err := io.WriteString(p.master, text); err != nil {
		p.t.Fatal(err)
	}
}

// waitFor waits until the pattern has been said since the last send, and
// returns what matched.
func (p *terminal) waitFor(pattern string) string {
	p.t.Helper()
	re := regexp.MustCompile(pattern)
	timeout := time.After(bootTime)
	for {
		p.mu.Lock()
		found, more := re.Find(p.text[p.mark:]), p.more
		p.mu.Unlock()
		if found != nil {
			return string(found)
		}
		select {
		case <-more:
		case err := <-p.ended:
			p.t.Fatalf("it ended before it said %q: %v", pattern, err)
		case <-timeout:
			p.t.Fatalf("it has not said %q in %v", pattern, bootTime)
		}
	}
}

func (p *terminal) waitExit() error {
	select {
	case err := <-p.ended:
		return err
	case <-time.After(powerTime):
		return errors.New("it runs on")
	}
}
