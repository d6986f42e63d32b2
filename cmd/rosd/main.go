// Command rosd is the service manager. It reads the configuration and the
// service files, has the system containerd run what they say, keeps it running,
// and answers ros on a unix socket. PID 1 starts it and starts it again when it
// dies; what runs is then taken over, not restarted.
//
// SIGTERM: leave, services keep running. SIGPWR: stop all services in reverse
// order of dependency, then leave.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"

	"github.com/testudo-os/testudo/pkg/api"
	"github.com/testudo-os/testudo/pkg/await"
	"github.com/testudo-os/testudo/pkg/events"
	"github.com/testudo-os/testudo/pkg/layout"
	"github.com/testudo-os/testudo/pkg/manager"
	"github.com/testudo-os/testudo/pkg/notify"
	"github.com/testudo-os/testudo/pkg/service"
	"github.com/testudo-os/testudo/pkg/settings"
	"github.com/testudo-os/testudo/pkg/userservices"
)

func main() {
	tuneMemory()
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	if err := run(log); err != nil {
		log.Error("rosd ends", "error", err)
		os.Exit(1)
	}
}

// errTerminated is the cause of leaving on SIGTERM.
var errTerminated = errors.New("asked to leave")

func run(log *slog.Logger) error {
	ctx, leave := context.WithCancelCause(context.Background())
	defer leave(nil)

	early := connectEarly(ctx)
	// PID 1 writes it when the state disk is in its place.
	if err := await.File(ctx, layout.MachineRecord); err != nil {
		return err
	}
	early.stopPreparing()
	finder := settings.Sources(ctx)
	finder.AtBoot(ctx)
	inForce, err := openConfiguration(ctx, loadWith(finder), log)
	if err != nil {
		return err
	}
	store, err := openLogs(inForce.current.Load().Config.Testudo.Logging, log)
	if err != nil {
		return err
	}
	defer store.Close()
	log = logToo(log, store)
	inForce.log = log
	forwarding := startForwarding(ctx, store, inForce.current.Load().Config.Testudo.Logging, log)
	declared := userservices.Store{Dir: layout.UserServices, ChoicesFile: layout.Choices}
	compose := &composeFile{dir: layout.ComposeDir}
	files := func() *service.Set { return loadServices(inForce.current.Load(), declared, compose) }
	hub := &events.Hub{}
	var m *manager.Manager
	images, err := openImages(inForce.current.Load(), files, func() *manager.Manager { return m }, log)
	if err != nil {
		return err
	}
	listener := notify.New(layout.NotifyDir, func(msg notify.Message) { m.Notified(msg) })
	defer listener.Close()
	set := images.upgrades.Declared()
	tellProblems(set, log)
	limitLogs(store, set)
	m = manager.New(set, managerOptions(early, store, listener, hub, images, compose, log))

	b := &backend{
		manager: m, logs: store, events: hub, files: files, images: images, config: inForce, finder: finder, declared: declared, life: ctx,
	}
	inForce.doers = b.doers(forwarding)
	inForce.watchTrial(ctx)
	go b.followSources(ctx, finder)
	socket, err := api.Listen(layout.APISocket, layout.GIDSudo)
	if err != nil {
		return err
	}
	served := make(chan error, 1)
	go func() {
		served <- api.Serve(ctx, socket, b)
	}()

	signals := make(chan os.Signal, 4)
	signal.Notify(signals, unix.SIGTERM, unix.SIGPWR)
	go func() {
		for s := range signals {
			if s == unix.SIGTERM {
				leave(errTerminated)
				return
			}
			log.Info("all services are to stop")
			m.StopAll()
		}
	}()

	err = m.Run(ctx)
	leave(errTerminated)
	if serveErr := <-served; serveErr != nil {
		log.Warn("API", "error", serveErr)
	}
	forwarding.finish()
	if err != nil && !errors.Is(err, errTerminated) {
		return fmt.Errorf("supervise: %w", err)
	}
	return nil
}
