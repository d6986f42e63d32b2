package main

import (
	"context"
	"errors"
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
	pictureTimeout = 5 * time.Minute
)

// prompt is the console shell's, at the end of what the terminal says.
var prompt = regexp.MustCompile(`[$#] $`)

// pictureCommand boots what was built, types two commands at the login on its
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
	var lines []string
	for line := range strings.Lines(text) {
		lines = append(lines, strings.ToValidUTF8(strings.TrimRight(line, "\r\n"), "?"))
	}
	f, err := os.Create(pictureFile)
	if err != nil {
		return err
	}
	p := termsvg.Picture{Title: "./build.sh run", Columns: 110, Rows: 44}
	return errors.Join(p.Write(f, lines), f.Close())
}

func terminalOfABoot(ctx context.Context, t *tools.Tools) (string, error) {
	kernel := filepath.Join(distDir, "vmlinuz")
	accel, err := qemu.ProbeAccel(ctx, t, kernel, cacheDir)
	if err != nil {
		return "", err
	}
	vm, err := qemu.Start(ctx, t, qemu.Config{
		Name: "picture", Accel: accel, Kernel: kernel, Initrd: filepath.Join(distDir, initrdName("default")),
		Append: kernelArguments(accel), SerialLog: filepath.Join(cacheDir, "run", "picture.log"),
	})
	if err != nil {
		return "", err
	}
	defer vm.Kill()
	for _, command := range []string{"ros service ls", "docker version --format '{{.Server.Version}}'", "ros boot blame"} {
		if _, err := vm.WaitLine(ctx, prompt); err != nil {
			return "", err
		}
		mark := vm.Mark()
		if err := vm.Send(command + "\n"); err != nil {
			return "", err
		}
		if _, err := vm.WaitLineAfter(ctx, mark, prompt); err != nil {
			return "", fmt.Errorf("%s: %w", command, err)
		}
	}
	return vm.Text(), nil
}
