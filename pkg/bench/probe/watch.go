package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// pause between two rounds of questions: the grain of all times. A round costs
// some 20,000 instructions, so this is a fifth of a percent.
const pause = 10 * time.Millisecond

// watch waits for what was ordered, tells about the idle machine and has it
// powered off.
func watch(log *kernelLog, init initProcess) error {
	if err := prepare(); err != nil {
		log.fact("trouble", err)
		return err
	}
	cmdline, err := os.ReadFile("cmdline")
	if err != nil {
		return err
	}
	o, err := parseOrder(string(cmdline))
	if err != nil {
		log.fact("trouble", err)
		return err
	}
	log.mark("probe")
	awaitAll(log, init, o)
	awaitProcesses(log, o)
	now, _ := clock()
	time.Sleep(max(o.idle, o.until-time.Duration(now)*time.Microsecond))
	log.mark("idle")
	if err := tellFacts(log); err != nil {
		log.fact("trouble", err)
		return err
	}
	if o.starter != "" {
		if err := runStarter(log, o.starter); err != nil {
			log.fact("trouble", fmt.Sprintf("starter: %v", err))
		}
	}
	log.mark("poweroff")
	if err := init.powerOff(); err != nil {
		return fmt.Errorf("power off: %w", err)
	}
	return unix.Pause() // until SIGTERM, which ends this program as any other
}

// prepare makes a /proc of our own the working directory, and every path of
// this program is relative to it: when Debian's initramfs removes the directory
// it is mounted on, the kernel takes the mount away, but not from who is in it.
// Then it asks to be spared when memory is short: who is measured runs out of
// it first, not who measures.
func prepare() error {
	if err := unix.Mkdir("/proc", 0o755); err != nil && !errors.Is(err, unix.EEXIST) {
		return err
	}
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	if err := os.Chdir("/proc"); err != nil {
		return err
	}
	return os.WriteFile("self/oom_score_adj", []byte("-1000"), 0o644)
}

func awaitAll(log *kernelLog, init initProcess, o order) {
	all, names := targets(), o.await
	for len(names) > 0 {
		var left []string
		for _, name := range names {
			if all[name].answers(init.root()) {
				log.mark(name)
				if name == "ssh" {
					tellWork(log)
				}
			} else {
				left = append(left, name)
			}
		}
		names = left
		if len(names) == 0 {
			return
		}
		if now, _ := clock(); now > o.limit.Microseconds() {
			log.fact("gave-up", names)
			return
		}
		time.Sleep(pause)
	}
}

// awaitProcesses waits until as many processes run as were ordered.
func awaitProcesses(log *kernelLog, o order) {
	for {
		n, err := userPrograms()
		if err != nil || n >= o.processes {
			return
		}
		if now, _ := clock(); now > o.limit.Microseconds() {
			log.fact("gave-up", fmt.Sprintf("%d processes of %d", n, o.processes))
			return
		}
		time.Sleep(time.Second)
	}
}
