package qemu

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// VM is a machine that was started. It embeds its serial console.
type VM struct {
	*Console
	QMP *QMP

	cfg    Config
	cmd    *exec.Cmd
	serial net.Conn // nil when the console is the terminal
	stderr *syncBuffer
	ports  map[int]int // guest port to host port

	done chan struct{}
	err  error // of QEMU itself; read after done is closed
}

// Start starts the machine. It runs until ctx ends, Kill is called, or the
// guest turns itself off.
func Start(ctx context.Context, tb Toolbox, cfg Config) (*VM, error) {
	args, err := cfg.arguments()
	if err != nil {
		return nil, err
	}
	vm := &VM{Console: newConsole(), cfg: cfg, stderr: &syncBuffer{}, done: make(chan struct{})}
	vm.cmd = tb.Command(ctx, "qemu-system-x86_64", args...)
	vm.cmd.Stderr = vm.stderr
	// A machine must not outlive a test run that was killed. Where it does not
	// own the terminal, ctrl-c there is for us alone: in a group of its own
	// QEMU does not hear it.
	vm.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: !cfg.Terminal}
	if err := vm.start(ctx); err != nil {
		return nil, fmt.Errorf("start machine %s: %w", cfg.Name, err)
	}
	return vm, nil
}

func (v *VM) start(ctx context.Context) error {
	var log io.WriteCloser = nopCloser{io.Discard}
	if v.cfg.SerialLog != "" && !v.cfg.Terminal {
		if err := os.MkdirAll(filepath.Dir(v.cfg.SerialLog), 0o755); err != nil {
			return err
		}
		f, err := os.Create(v.cfg.SerialLog)
		if err != nil {
			return err
		}
		log = f
	}
	qmpConn, qmpFile, err := socketPair()
	if err != nil {
		return errors.Join(err, log.Close())
	}
	serialConn, serialFile, err := socketPair()
	if err != nil {
		return errors.Join(err, log.Close(), qmpConn.Close(), qmpFile.Close())
	}
	v.serial = serialConn
	v.cmd.ExtraFiles = []*os.File{qmpFile, serialFile}
	if v.cfg.Terminal {
		v.cmd.Stdin, v.cmd.Stdout = os.Stdin, os.Stdout
	}
	err = v.cmd.Start()
	qmpFile.Close()
	serialFile.Close()
	if err != nil {
		return errors.Join(err, log.Close(), qmpConn.Close(), serialConn.Close())
	}
	go v.run(qmpConn, log)

	if v.QMP, err = newQMP(ctx, qmpConn); err != nil {
		_ = v.Kill() // the error below says more
		return fmt.Errorf("%w; QEMU said: %s", err, v.stderr.String())
	}
	if v.ports, err = v.readPorts(ctx); err != nil {
		return errors.Join(err, v.Kill())
	}
	return nil
}

// run keeps the serial console until QEMU ends.
func (v *VM) run(qmpConn net.Conn, log io.Closer) {
	defer close(v.done)
	copied := make(chan error, 1)
	go func() { copied <- v.copyFrom(v.serial, log.(io.Writer)) }()
	err := v.cmd.Wait()
	copyErr := <-copied // ends by itself: QEMU held the other end
	v.serial.Close()
	qmpConn.Close()
	v.err = errors.Join(err, copyErr, log.Close())
}

// Done is closed when QEMU has ended.
func (v *VM) Done() <-chan struct{} { return v.done }

// Ending says why a machine that is done has ended: the reason in QEMU's event
// SHUTDOWN (guest-shutdown, guest-reset, guest-panic, host-signal, ...), and what
// QEMU itself had to say. A guest that resets where Config.Reboot is false ends
// with guest-reset, also by a triple fault, of which there is no other sign.
func (v *VM) Ending() string {
	v.QMP.eventMu.Lock()
	reason := v.QMP.ending
	v.QMP.eventMu.Unlock()
	if reason == "" {
		reason = "no reason given"
	}
	if v.err != nil {
		reason += fmt.Sprintf(" (%v)", v.err)
	}
	if said := v.stderr.String(); said != "" {
		reason += "; QEMU said: " + said
	}
	return reason
}

// WaitExit waits until the guest has turned itself off (or panicked, with
// panic=-1 on its command line).
func (v *VM) WaitExit(ctx context.Context) error {
	select {
	case <-v.done:
		if v.err != nil {
			return fmt.Errorf("machine %s: %w; QEMU said: %s", v.cfg.Name, v.err, v.stderr.String())
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for machine %s to end: %w; its last words:\n%s", v.cfg.Name, context.Cause(ctx), v.Tail(40))
	}
}

// Kill ends QEMU at once. The host keeps every write it had accepted, so this
// is not a power cut as a disk sees it.
func (v *VM) Kill() error {
	if err := v.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill machine %s: %w", v.cfg.Name, err)
	}
	<-v.done
	return nil
}

// Send types on the serial console.
func (v *VM) Send(text string) error {
	if v.cfg.Terminal {
		return errors.New("the serial console is the terminal")
	}
	if _, err := io.WriteString(v.serial, text); err != nil {
		return fmt.Errorf("type on the serial console: %w", err)
	}
	return nil
}

// PowerButton presses the power button.
func (v *VM) PowerButton(ctx context.Context) error { return v.call(ctx, "system_powerdown", nil) }

// Reset presses the reset button.
func (v *VM) Reset(ctx context.Context) error { return v.call(ctx, "system_reset", nil) }

// NMI sends a non-maskable interrupt.
func (v *VM) NMI(ctx context.Context) error { return v.call(ctx, "inject-nmi", nil) }

// SetLink plugs the network cable in or pulls it out.
func (v *VM) SetLink(ctx context.Context, up bool) error {
	return v.call(ctx, "set_link", map[string]any{"name": networkID, "up": up})
}

func (v *VM) call(ctx context.Context, command string, arguments any) error {
	_, err := v.QMP.Call(ctx, command, arguments)
	return err
}

// socketPair returns our end as a connection and the other as a file for QEMU.
func socketPair() (net.Conn, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("socketpair: %w", err)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "ours"), os.NewFile(uintptr(fds[1]), "theirs")
	conn, err := net.FileConn(ours) // works on a copy
	ours.Close()
	if err != nil {
		theirs.Close()
		return nil, nil, fmt.Errorf("socketpair: %w", err)
	}
	return conn, theirs, nil
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

// syncBuffer is a buffer that is read while QEMU still writes to it.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
