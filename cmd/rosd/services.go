package main

import (
	"log/slog"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/testudo-os/testudo/pkg/config"
	"github.com/testudo-os/testudo/pkg/events"
	"github.com/testudo-os/testudo/pkg/layout"
	"github.com/testudo-os/testudo/pkg/logs"
	"github.com/testudo-os/testudo/pkg/manager"
	"github.com/testudo-os/testudo/pkg/notify"
	"github.com/testudo-os/testudo/pkg/service"
)

// loadServices reads the service files: the release's, then the user's.
func loadServices(resolved *config.Resolved, log *slog.Logger) *service.Set {
	dir := func(path string) service.Dir { return service.Dir{Path: path, FS: os.DirFS(path)} }
	set := service.Load(service.Options{}, dir(layout.Services), dir(layout.UserServices))
	choose(set, resolved.Config.Testudo.Services)
	for _, problem := range set.Problems {
		log.Error("service files", "problem", problem)
	}
	return set
}

// choose lets the configuration have the last word on what is wanted.
func choose(set *service.Set, names config.Services) {
	var wanted, unwanted []service.Service
	for _, s := range set.Services {
		if slices.Contains(names.Disable, s.Name) {
			unwanted = append(unwanted, s)
		} else {
			wanted = append(wanted, s)
		}
	}
	for _, s := range set.Disabled {
		if slices.Contains(names.Enable, s.Name) && !slices.Contains(names.Disable, s.Name) {
			wanted = append(wanted, s)
		} else {
			unwanted = append(unwanted, s)
		}
	}
	set.Services, set.Disabled = wanted, unwanted
}

func managerOptions(early *earlyRuntime, store *logs.Store, listener *notify.Listener, hub *events.Hub, log *slog.Logger) manager.Options {
	return manager.Options{
		Connect: early.runtime,
		Attach: func(svc *service.Service) error {
			if svc.Ready == service.ReadyNotify {
				if err := listener.Listen(svc.Name); err != nil {
					return err
				}
			}
			return store.Attach(svc.Name)
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
