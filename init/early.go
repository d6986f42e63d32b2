package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/testudo-os/testudo/pkg/cmdline"
	"github.com/testudo-os/testudo/pkg/mount"
	"golang.org/x/sys/unix"
)

// mountKernelFilesystems makes /proc, /sys and /dev, which all that follows
// reads.
func (m *machine) mountKernelFilesystems(context.Context) error {
	unix.Umask(0o022)
	err := mount.All("/", mount.Early())
	m.deferCryptoTests("/proc")
	// Before there are other programs. A kernel without it has no such file.
	_ = writeFile(hugePages, "madvise")
	return err
}

// openKernelLog directs our lines there. The kernel would otherwise drop lines
// of a program that writes more than ten in five seconds.
func (m *machine) openKernelLog(context.Context) error {
	const setting = "/proc/sys/kernel/printk_devkmsg"
	var err error
	if readLine(setting) != "on" { // what the command line says is final
		err = writeFile(setting, "on\n") // it insists on the line's end
	}
	f, openErr := os.OpenFile("/dev/kmsg", os.O_WRONLY|unix.O_CLOEXEC, 0)
	if openErr == nil {
		m.log.Attach(f)
	}
	return errors.Join(err, openErr)
}

// readKernelArguments reads what concerns us; the rest of testudo.* is rosd's.
func (m *machine) readKernelArguments(context.Context) error {
	var uname unix.Utsname
	if err := unix.Uname(&uname); err != nil {
		return fmt.Errorf("ask for the kernel's release: %w", err)
	}
	m.release = unix.ByteSliceToString(uname.Release[:])
	_, err := os.Stat("/sys/firmware/efi")
	m.efi = err == nil
	text, err := os.ReadFile("/proc/cmdline")
	if err != nil {
		return fmt.Errorf("read the kernel command line: %w", err)
	}
	m.args = cmdline.Parse(string(text))
	return nil
}

// Limits for us and all that we start. The soft limit stays at what select(2)
// can bear; programs that need more raise their own.
const (
	softFiles = 1024
	hardFiles = 1 << 20
	oomNever  = "-1000"
)

func (m *machine) raiseLimits(context.Context) error {
	limit := unix.Rlimit{Cur: softFiles, Max: hardFiles}
	err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)
	if err != nil {
		err = fmt.Errorf("raise the limit of open files: %w", err)
	}
	// ctrl-alt-del is to send us SIGINT instead of resetting the machine.
	if cad := unix.Reboot(unix.LINUX_REBOOT_CMD_CAD_OFF); cad != nil {
		err = errors.Join(err, fmt.Errorf("take ctrl-alt-del: %w", cad))
	}
	return errors.Join(err, writeFile("/proc/self/oom_score_adj", oomNever))
}

// startReaper begins to collect ended children, ours and orphans.
func (m *machine) startReaper(context.Context) error {
	// Beyond the boot: it works until the machine is off.
	m.start("reaper", func() {
		for {
			m.reaper.Loop(context.Background())
		}
	})
	return nil
}

// writeFile writes a setting of the kernel.
func writeFile(file, text string) error {
	f, err := os.OpenFile(file, os.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

// readLine reads a file that holds one line.
func readLine(file string) string {
	b, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}
