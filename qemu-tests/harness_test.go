// Package qemutests boots what is in dist/ in virtual machines and looks at
// what a user would see. `./build.sh test` builds first and runs them;
// `./build.sh test -run NAME` runs some. Each machine's serial log is kept in
// .cache/test-logs and fails its test when the kernel or a program of ours
// broke in it.
package qemutests

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/testudo-os/testudo/pkg/qemu"
	"github.com/testudo-os/testudo/pkg/tools"
)

// Patience with emulated machines on a busy host. Nothing waits that long
// when all is well.
const (
	bootTime    = 5 * time.Minute
	commandTime = 2 * time.Minute
	powerTime   = 90 * time.Second
)

// atOnce is how many machines run at the same time.
const atOnce = 2

// host is what all tests need of the host.
type host struct {
	top   string // of the project
	tools *tools.Tools
	key   *qemu.Key
	accel qemu.Accel
	slots chan struct{}
}

var theHost = sync.OnceValues(func() (*host, error) {
	top, err := filepath.Abs("..")
	if err != nil {
		return nil, err
	}
	h := &host{top: top, slots: make(chan struct{}, atOnce)}
	for _, name := range []string{"vmlinuz", "initrd.img", "initrd-core.img"} {
		if _, err := os.Stat(h.dist(name)); err != nil {
			return nil, fmt.Errorf("nothing to boot, run ./build.sh build first: %w", err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), bootTime)
	defer cancel()
	if h.tools, err = tools.Ensure(ctx, h.cache(), func(string, ...any) {}); err != nil {
		return nil, err
	}
	if h.key, err = qemu.EnsureKey(h.cache("ssh")); err != nil {
		return nil, err
	}
	h.accel, err = qemu.ProbeAccel(ctx, h.tools, h.dist("vmlinuz"), h.cache())
	return h, err
})

func (h *host) dist(name string) string { return filepath.Join(h.top, "dist", name) }

func (h *host) cache(names ...string) string {
	return filepath.Join(append([]string{h.top, ".cache"}, names...)...)
}

func getHost(t *testing.T) *host {
	t.Helper()
	h, err := theHost()
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// setup says how a machine differs from the usual one: the core variant with
// 512 MiB, a seed with our ssh key, DHCP and no way out.
type setup struct {
	extra       []string // arguments of QEMU
	full        bool     // with the user runtime
	memory      int      // MiB
	cloudConfig string   // after the line with our key
	noSeed      bool
	disks       []qemu.Disk
	network     qemu.Network
	forwards    []qemu.Forward
	args        string // more kernel arguments
	reboot      bool   // a reboot boots again instead of ending QEMU
	prompt      bool   // a login prompt on the serial console instead of a shell
	noConsole   bool   // the kernel is told to use one that is not there
	allow       string // regular expression of log lines that are expected here
}

// machine is a running machine in a test.
type machine struct {
	*qemu.VM
	t     *testing.T
	h     *host
	allow []*regexp.Regexp
	log   string
}

// boot starts a machine. It ends with the test, which then fails if the serial
// log tells of trouble.
func boot(t *testing.T, s setup) *machine {
	t.Helper()
	h := getHost(t)
	select {
	case h.slots <- struct{}{}:
	case <-t.Context().Done():
		t.Fatal("no turn to boot a machine")
	}
	started := false
	defer func() {
		if !started {
			<-h.slots
		}
	}()
	m := &machine{t: t, h: h, log: h.cache("test-logs", logName(t)+".log")}
	if s.allow != "" {
		m.allow = append(m.allow, regexp.MustCompile(s.allow))
	}
	cfg := s.config(t, h)
	cfg.SerialLog = m.log
	vm, err := qemu.Start(context.Background(), h.tools, cfg)
	if err != nil {
		t.Fatal(err)
	}
	m.VM, started = vm, true
	go func() {
		<-vm.Done()
		<-h.slots // a test that boots a second machine must not wait for itself
	}()
	t.Cleanup(m.end)
	return m
}

func (s setup) config(t *testing.T, h *host) qemu.Config {
	t.Helper()
	cfg := qemu.Config{
		Name: t.Name(), Accel: h.accel, Memory: 512, CPUs: 2, Disks: s.disks, Network: qemu.IsolatedNet, Reboot: s.reboot, Extra: s.extra,
		Kernel: h.dist("vmlinuz"), Initrd: h.dist("initrd-core.img"),
		Append: strings.TrimSpace("console=ttyS0 no_timer_check panic=-1 " + s.args),
	}
	if s.noConsole {
		cfg.Append = strings.Replace(cfg.Append, "ttyS0", "ttyS9", 1)
	} else if !s.prompt {
		cfg.Append += " testudo.console.autologin=ttyS0"
	}
	if s.full {
		cfg.Initrd, cfg.Memory = h.dist("initrd.img"), 1024
	}
	if s.memory != 0 {
		cfg.Memory = s.memory
	}
	if s.network != "" {
		cfg.Network = s.network
	}
	if cfg.Network != qemu.NoNet && cfg.Network != qemu.SilentNet {
		cfg.Forwards = append([]qemu.Forward{{Guest: 22}}, s.forwards...)
	}
	if !s.noSeed {
		cfg.Seed = filepath.Join(t.TempDir(), "seed.iso")
		text := "#cloud-config\nssh_authorized_keys:\n  - " + h.key.Public + "\n" + s.cloudConfig
		if err := qemu.WriteSeed(t.Context(), h.tools, cfg.Seed, text, ""); err != nil {
			t.Fatal(err)
		}
	}
	return cfg
}

// logName makes a file name of a test's name; later machines of the same test
// get a number.
func logName(t *testing.T) string {
	name := strings.NewReplacer("/", "-", " ", "_").Replace(t.Name())
	n, _ := bootCounts.LoadOrStore(name, new(int))
	count := n.(*int)
	*count++ // one test boots its machines one after another
	if *count > 1 {
		return fmt.Sprintf("%s-%d", name, *count)
	}
	return name
}

var bootCounts sync.Map

// end kills a machine that still runs and scans its log.
func (m *machine) end() {
	if err := m.Kill(); err != nil {
		m.t.Error(err)
	}
	f, err := os.Open(m.log)
	if err != nil {
		m.t.Error(err)
		return
	}
	defer f.Close()
	found, err := qemu.ScanLog(f, m.allow...)
	if err != nil {
		m.t.Error(err)
	}
	for _, line := range found {
		m.t.Errorf("the serial log tells of trouble: %s:%s", m.log, line)
	}
	if m.t.Failed() {
		m.t.Logf("the serial console's last words (all of them: %s):\n%s", m.log, m.Tail(60))
	}
}

func (m *machine) within(d time.Duration) context.Context {
	ctx, cancel := context.WithTimeoutCause(context.Background(), d, fmt.Errorf("not within %v", d))
	m.t.Cleanup(cancel)
	return ctx
}

// login waits for ssh and logs in.
func (m *machine) login(user string) *session {
	m.t.Helper()
	s, err := m.DialSSH(m.within(bootTime), user, m.h.key.Signer)
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() {
		if err := s.Close(); err != nil && !isGone(err) {
			m.t.Log(err)
		}
	})
	return &session{s, m}
}

// isGone says that a connection ended with its machine.
func isGone(err error) bool {
	return errors.Is(err, os.ErrClosed) || strings.Contains(err.Error(), "use of closed network connection") ||
		strings.Contains(err.Error(), "EOF")
}

// waitExit waits until the guest has turned itself off.
func (m *machine) waitExit() {
	m.t.Helper()
	if err := m.WaitExit(m.within(powerTime)); err != nil {
		m.t.Fatal(err)
	}
}

// session is a login by ssh.
type session struct {
	ssh *qemu.SSH
	m   *machine
}

// run runs a command that must succeed, and returns what it printed.
func (s *session) run(command string) string {
	s.m.t.Helper()
	out, err := s.try(command)
	if err != nil {
		s.m.t.Fatalf("%v\nstdout: %s", err, out)
	}
	return out
}

// try runs a command that may fail.
func (s *session) try(command string) (string, error) {
	return s.ssh.Run(s.m.within(commandTime), command)
}

// put writes a file on the machine.
func (s *session) put(path, mode string, content []byte) {
	s.m.t.Helper()
	command := fmt.Sprintf("umask 022 && cat > %s && chmod %s %s", path, mode, path)
	if _, err := s.ssh.RunWithInput(s.m.within(commandTime), command, strings.NewReader(string(content))); err != nil {
		s.m.t.Fatal(err)
	}
}

// prompt is what a shell on the serial console ends its line with.
var prompt = regexp.MustCompile(`[#$] (\x1b\[[0-9;?]*[a-zA-Z])*$`)

// shell waits for the login on the serial console.
func (m *machine) shell() *serialShell {
	m.t.Helper()
	if _, err := m.WaitLine(m.within(bootTime), prompt); err != nil {
		m.t.Fatal(err)
	}
	return &serialShell{m: m}
}

// serialShell is the login on the serial console, for machines without ssh.
type serialShell struct {
	m *machine
	n int
}

// run types a command and returns what it printed, whatever it exits with.
func (s *serialShell) run(command string) string {
	s.m.t.Helper()
	s.n++
	mark := s.m.Mark()
	// The marks are spelled so that the echo of the command line holds neither.
	begin, end := fmt.Sprintf("BEGIN-%d", s.n), fmt.Sprintf("END-%d", s.n)
	line := fmt.Sprintf("echo BEGIN''-%d; %s; echo END''-%d\n", s.n, command, s.n)
	if err := s.m.Send(line); err != nil {
		s.m.t.Fatal(err)
	}
	if _, err := s.m.WaitLineAfter(s.m.within(commandTime), mark, regexp.MustCompile(end)); err != nil {
		s.m.t.Fatal(err)
	}
	text := strings.ReplaceAll(s.m.Text()[mark:], "\r", "")
	_, text, _ = strings.Cut(text, begin+"\n")
	text, _, _ = strings.Cut(text, end)
	return text
}

// eventually runs check until it returns nil. Between tries it waits for as
// long as a person would before looking again.
func (m *machine) eventually(within time.Duration, check func() error) {
	m.t.Helper()
	ctx := m.within(within)
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			m.t.Fatalf("not within %v: %v", within, err)
		case <-m.Done():
			m.t.Fatalf("the machine ended; before that: %v", err)
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// newDisk makes an empty disk image.
func newDisk(t *testing.T, size int64) qemu.Disk {
	t.Helper()
	path := filepath.Join(t.TempDir(), "state.img")
	if err := qemu.CreateDisk(path, size); err != nil {
		t.Fatal(err)
	}
	return qemu.Disk{Path: path, Serial: "state"}
}

// tool runs a program of the host's tools and returns what it printed.
func (h *host) tool(t *testing.T, name string, args ...string) (string, error) {
	t.Helper()
	out, err := h.tools.Command(t.Context(), name, args...).CombinedOutput()
	return string(out), err
}

// checkDisk fails when the ext4 file system on a disk is not clean.
func (h *host) checkDisk(t *testing.T, d qemu.Disk) {
	t.Helper()
	if out, err := h.tool(t, "e2fsck", "-fn", d.Path); err != nil {
		t.Errorf("the state file system is not sound: %v\n%s", err, out)
	}
	out, err := h.tool(t, "dumpe2fs", "-h", d.Path)
	if err != nil {
		t.Fatalf("dumpe2fs: %v\n%s", err, out)
	}
	if strings.Contains(out, "needs_recovery") || !regexp.MustCompile(`Filesystem state:\s+clean`).MatchString(out) {
		t.Errorf("the state file system was not unmounted cleanly:\n%s", out)
	}
}
