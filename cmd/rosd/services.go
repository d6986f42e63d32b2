package main

import (
	"errors"
	"log/slog"
	"os"

	"golang.org/x/sys/unix"

	"github.com/testudo-os/testudo/pkg/config"
	"github.com/testudo-os/testudo/pkg/events"
	"github.com/testudo-os/testudo/pkg/layout"
	"github.com/testudo-os/testudo/pkg/logs"
	"github.com/testudo-os/testudo/pkg/manager"
	"github.com/testudo-os/testudo/pkg/notify"
	"github.com/testudo-os/testudo/pkg/probe"
	"github.com/testudo-os/testudo/pkg/service"
	"github.com/testudo-os/testudo/pkg/userservices"
)

// sources are the places from which services come, the lowest first. A
// container finds the built-in ones where the system image has them.
func sources(user string, declared config.Declarations) []service.Source {
	dir := func(path string) service.Dir { return service.Dir{Path: path, FS: os.DirFS(path)} }
	configuration := service.Source{Label: "configuration"}
	for _, d := range declared {
		configuration.Inline = append(configuration.Inline, service.Text{File: d.File, Node: d.Node})
	}
	return []service.Source{
		{Label: "built-in", Dir: dir(layout.Services)},
		{Label: "catalog", Dir: dir(layout.Catalog), Optional: true},
		{Label: "user", Dir: dir(user)},
		configuration,
	}
}

// loadServices reads what is declared and chosen. What is wrong with it is in
// the set's Problems.
func loadServices(resolved *config.Resolved, store userservices.Store, compose *composeFile) *service.Set {
	wanted := resolved.Config.Testudo.Services
	choices, err := store.Choices()
	set := service.Load(options(wanted, choices), sources(store.Dir, wanted.Declare)...)
	if err != nil {
		set.Problems = append(set.Problems, err)
	}
	giveFiles(set, resolved.Config.WriteFiles, layout.ServiceFiles)
	if err := handOver(set, compose); err != nil {
		set.Problems = append(set.Problems, err)
	}
	return set
}

// tellProblems is for the start: later they are in `ros status`.
func tellProblems(set *service.Set, log *slog.Logger) {
	for _, problem := range set.Problems {
		log.Error("service files", "problem", problem)
	}
}

// options puts together what the configuration and the machine's own choices
// say. The configuration has the last word.
func options(wanted config.Services, choices userservices.Choices) service.Options {
	merged := config.Merge(
		&config.Config{Testudo: config.Testudo{Services: config.Services{Enable: choices.Enable, Disable: choices.Disable}}},
		&config.Config{Testudo: config.Testudo{Services: wanted}},
	).Testudo.Services
	return service.Options{
		Enable: merged.Enable, Disable: merged.Disable, Profiles: merged.Profiles,
		Lookup: func(name string) (string, bool) {
			value, ok := merged.Variables[name]
			return string(value), ok
		},
	}
}

func managerOptions(early *earlyRuntime, store *logs.Store, listener *notify.Listener, hub *events.Hub, images *images, compose *composeFile, log *slog.Logger) manager.Options {
	return manager.Options{
		Connect: early.runtime,
		Attach: func(svc *service.Service) error {
			if svc.Notifies() {
				if err := listener.Listen(svc.Name); err != nil {
					return err
				}
			}
			return errors.Join(compose.write(svc), store.Attach(svc.Name))
		},
		Look:  probe.Check,
		Bring: images.bring,
		Judged: func(name string, good service.Service, refused *service.Refusal) {
			if err := images.upgrades.Judged(name, good, refused); err != nil {
				log.Error("service "+name+": the end of its upgrade is not recorded", "error", err)
			}
		},
		Records:  layout.ServiceRecords,
		BootTime: bootTimeMicros,
		Log:      log,
		Event:    hub.Tell,
	}
}

// bootTimeMicros is CLOCK_BOOTTIME, the clock of init's records.
func bootTimeMicros() int64 {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
		return 0 // cannot fail since Linux 2.6.39
	}
	return now.Nano() / 1000
}
