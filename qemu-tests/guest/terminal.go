package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/containerd/console"
	"golang.org/x/sys/unix"
)

// limitOpenFiles sets how many files a process may have open; PID 1 for one.
func limitOpenFiles(pid, limit string) error {
	p, err1 := strconv.Atoi(pid)
	n, err2 := strconv.ParseUint(limit, 10, 32)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	var now unix.Rlimit
	if err := unix.Prlimit(p, unix.RLIMIT_NOFILE, nil, &now); err != nil {
		return err
	}
	return unix.Prlimit(p, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: n, Max: now.Max}, nil)
}

// onTerminal runs a program on a terminal and plays the person at it. script
// is what they do, separated by semicolons:
//
//	type TEXT     types a line
//	key NUMBER    types one character
//	await TEXT    waits until the screen shows it, behind what was awaited before
//	size ROWS COLUMNS
//
// It ends as the program does.
func onTerminal(script string, args []string) error {
	here, there, err := console.NewPty()
	if err != nil {
		return err
	}
	if err := here.Resize(console.WinSize{Height: 33, Width: 99}); err != nil {
		return err
	}
	tty, err := os.OpenFile(there, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return err
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	tty.Close()
	s := newScreen(here)
	for action := range strings.SplitSeq(script, ";") {
		if err := s.act(strings.TrimSpace(action)); err != nil {
			return errors.Join(fmt.Errorf("%s: %w; the screen:\n%s", action, err, s.text()), cmd.Process.Kill())
		}
	}
	err = cmd.Wait()
	fmt.Print(s.text())
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		os.Exit(exit.ExitCode())
	}
	return err
}

// screen is what a program has written to its terminal.
type screen struct {
	terminal console.Console

	mu   sync.Mutex
	news sync.Cond
	all  []byte
	seen int
	over bool
}

func newScreen(terminal console.Console) *screen {
	s := &screen{terminal: terminal}
	s.news.L = &s.mu
	go func() {
		_, _ = io.Copy(s, terminal) // ends with an error when the program does
		s.mu.Lock()
		defer s.mu.Unlock()
		s.over = true
		s.news.Broadcast()
	}()
	return s
}

func (s *screen) Write(data []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, data...)
	s.news.Broadcast()
	return len(data), nil
}

func (s *screen) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(s.all)
}

func (s *screen) act(action string) error {
	verb, rest, _ := strings.Cut(action, " ")
	switch verb {
	case "type":
		_, err := s.terminal.Write([]byte(rest + "\n"))
		return err
	case "key":
		n, err := strconv.ParseUint(rest, 10, 8)
		if err == nil {
			_, err = s.terminal.Write([]byte{byte(n)})
		}
		return err
	case "size":
		var size console.WinSize
		if _, err := fmt.Sscan(rest, &size.Height, &size.Width); err != nil {
			return err
		}
		return s.terminal.Resize(size)
	case "await":
		return s.await(rest)
	}
	return errors.New("no such action")
}

// patience is for a word that should come at once, on an emulated machine.
const patience = time.Minute

func (s *screen) await(text string) error {
	late := time.AfterFunc(patience, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.over = true
		s.news.Broadcast()
	})
	defer late.Stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		if at := bytes.Index(s.all[s.seen:], []byte(text)); at >= 0 {
			s.seen += at + len(text)
			return nil
		}
		if s.over {
			return errors.New("it does not come")
		}
		s.news.Wait()
	}
}
