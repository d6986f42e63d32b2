package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/testudo-os/testudo/pkg/qemu"
	"github.com/testudo-os/testudo/pkg/termsvg"
	"github.com/testudo-os/testudo/pkg/tools"
)

const (
	pictureFile    = "docs/boot.svg"
	pictureTimeout = 20 * time.Minute
	pictureColumns = 102
)

// pictureCommands are typed at the login on the serial console.
var pictureCommands = []string{"ros status", "ros service ps"}

// allReady waits, unseen, until services have nothing left to wait for.
const allReady = `while ros service ls --format json | grep -q '"ready": *false'; do sleep 1; done`

// pictureCommand boots what was built, types commands at the login on its
// serial console, and draws what the terminal said: the README's picture.
func pictureCommand(ctx context.Context, args []string) error {
	if len(args) > 0 {
		return usageError("picture takes no arguments")
	}
	if err := build(ctx, buildOptions{variants: []string{"default"}, kernel: "cloud"}); err != nil {
		return err
	}
	t, err := tools.Ensure(ctx, cacheDir, logf)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, pictureTimeout)
	defer cancel()
	text, err := terminalOfABoot(ctx, t)
	if err != nil {
		return err
	}
	p := termsvg.Picture{Title: "./build.sh run", Columns: pictureColumns}
	return writeAtomic(pictureFile, func(f *os.File) error { return p.Write(f, pictureLines(text)) })
}

// terminalOfABoot is what a person at the terminal would have seen.
func terminalOfABoot(ctx context.Context, t *tools.Tools) (string, error) {
	vm, err := qemu.Start(ctx, t, qemu.Config{
		// Counted: the times in the picture do not depend on how busy the host is.
		Name: "picture", Accel: qemu.Counted, CPUs: 1, Memory: 1024,
		Kernel: filepath.Join(distDir, "vmlinuz"), Initrd: filepath.Join(distDir, initrdName("default")),
		Append: kernelArguments(qemu.Counted), SerialLog: filepath.Join(cacheDir, "run", "picture.log"),
	})
	if err != nil {
		return "", err
	}
	defer vm.Kill()
	if _, err := vm.WaitLine(ctx, shellPrompt); err != nil {
		return "", err
	}
	seen := vm.Text()
	for i, command := range append([]string{allReady}, pictureCommands...) {
		mark := vm.Mark()
		if err := vm.Send(command + "\n"); err != nil {
			return "", err
		}
		if _, err := vm.WaitLineAfter(ctx, mark, shellPrompt); err != nil {
			return "", fmt.Errorf("%s: %w", command, err)
		}
		if i > 0 {
			seen += vm.Text()[mark:]
		}
	}
	return seen, nil
}

var (
	// shellPrompt is the console shell's, at the end of what the terminal says.
	shellPrompt = regexp.MustCompile(`[$#] $`)

	kernelLine = regexp.MustCompile(`^\[ *\d+\.\d+\] `)
	kernelName = regexp.MustCompile(`Linux version \S+`)
	// worthShowing are init's steps that took their time, and what it announces.
	worthShowing = regexp.MustCompile(`testudo: (step \S+: done in (\d{2,}(\.\d+)?ms|[\d.]+s)|state: |rosd is |containerd is |Testudo )`)
	promptStart  = regexp.MustCompile(`^(\x1b\[\?2004h)?(\S+@\S+?:)`)
)

// Colours of SGR sequences.
const (
	grey  = "\x1b[90m"
	green = "\x1b[32m"
	usual = "\x1b[0m"
)

// pictureLines are the lines worth a place: of the kernel's only a few. What
// the machine said stays as it is, but for colour.
func pictureLines(text string) []string {
	var lines []string
	for line := range strings.Lines(text) {
		line = strings.ToValidUTF8(strings.TrimRight(line, "\r\n"), "?")
		if stamp := kernelLine.FindString(line); stamp != "" {
			said := line[len(stamp):]
			switch {
			case kernelName.MatchString(said):
				said = kernelName.FindString(said)
			case !worthShowing.MatchString(said):
				continue
			}
			said = strings.Replace(said, "testudo:", green+"testudo:"+usual, 1)
			lines = append(lines, grey+stamp+usual+said)
			continue
		}
		lines = append(lines, promptStart.ReplaceAllString(line, green+"$2"+usual))
	}
	return lines
}
