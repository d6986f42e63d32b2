package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/testudo-os/testudo/pkg/api"
	"github.com/testudo-os/testudo/pkg/config"
	"github.com/testudo-os/testudo/pkg/layout"
	"github.com/testudo-os/testudo/pkg/logforward"
	"github.com/testudo-os/testudo/pkg/logs"
	"github.com/testudo-os/testudo/pkg/service"
)

// What the logs may take. docs/logging.md says so to users.
const (
	logTotalDisk = 256 << 20 // or a tenth of the disk
	logTotalRAM  = 16 << 20
	logAge       = 90 * 24 * time.Hour
)

// openLogs opens the store where the state lives and begins to read the
// kernel's log.
func openLogs(cfg config.Logging, log *slog.Logger) (*logs.Store, error) {
	id, err := bootID()
	if err != nil {
		return nil, err
	}
	var machine api.Machine
	onDisk := readJSON(layout.MachineRecord, &machine) == nil && machine.StateMode == "disk"
	store, err := logs.Open(logs.Options{
		FIFOs: layout.IODir, Files: layout.ServiceLogs, BootID: id,
		Limits: asConfigured(logLimits(onDisk, diskSize(layout.VarLog)), cfg), Own: ownLimits(cfg),
	})
	if err != nil {
		return nil, err
	}
	if err := store.Kernel("/dev/kmsg"); err != nil {
		log.Error("the kernel's log is not kept", "error", err)
	}
	return store, nil
}

// logLimits shares the room: no service may have more than a quarter.
func logLimits(onDisk bool, disk int64) logs.Limits {
	total := int64(logTotalRAM)
	if onDisk {
		total = logTotalDisk
		if disk > 0 {
			total = min(total, disk/10)
		}
	}
	return logs.Limits{Total: total, Service: total / 4, Age: logAge}
}

// asConfigured are the limits with what the configuration says in their place. A
// quarter for each service stays a quarter.
func asConfigured(l logs.Limits, cfg config.Logging) logs.Limits {
	if size := cfg.MaxSize.Bytes(); size > 0 {
		l.Total, l.Service = size, size/4
	}
	l.Age = cmp.Or(cfg.MaxAge.Duration(), l.Age)
	return l
}

func ownLimits(cfg config.Logging) map[string]logs.Limit {
	own := map[string]logs.Limit{}
	for name, l := range cfg.Services {
		own[name] = logs.Limit{Size: l.MaxSize.Bytes(), Age: l.MaxAge.Duration()}
	}
	return own
}

// limitLogs bounds the logs of services as their files say.
func limitLogs(store *logs.Store, set *service.Set) {
	for _, s := range set.Services {
		store.Limit(s.Name, logs.Limit{Size: s.LogSize})
	}
}

func diskSize(path string) int64 {
	var fs unix.Statfs_t
	if unix.Statfs(path, &fs) != nil {
		return 0
	}
	return int64(fs.Blocks) * fs.Bsize
}

// bootID is the kernel's name for this boot, without the dashes.
func bootID() (string, error) {
	text, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("name of this boot: %w", err)
	}
	return strings.ReplaceAll(strings.TrimSpace(string(text)), "-", ""), nil
}

// logToo has what rosd says kept in the store as well, with its level.
func logToo(log *slog.Logger, store *logs.Store) *slog.Logger {
	return slog.New(both{log.Handler(), newStoreHandler(store.Writer(api.RosdLog))})
}

// both hands records to two handlers.
type both struct{ a, b slog.Handler }

func (h both) Enabled(ctx context.Context, level slog.Level) bool {
	return h.a.Enabled(ctx, level) || h.b.Enabled(ctx, level)
}

func (h both) Handle(ctx context.Context, r slog.Record) error {
	var errs []error
	for _, one := range []slog.Handler{h.a, h.b} {
		if one.Enabled(ctx, r.Level) {
			errs = append(errs, one.Handle(ctx, r.Clone()))
		}
	}
	return errors.Join(errs...)
}

func (h both) WithAttrs(attrs []slog.Attr) slog.Handler {
	return both{h.a.WithAttrs(attrs), h.b.WithAttrs(attrs)}
}

func (h both) WithGroup(name string) slog.Handler {
	return both{h.a.WithGroup(name), h.b.WithGroup(name)}
}

// newStoreHandler writes records without what the store adds itself: the time,
// and the level, which becomes the priority as in sd-daemon(3).
func newStoreHandler(w io.Writer) slog.Handler {
	return slog.NewTextHandler(prefixed{w}, &slog.HandlerOptions{ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) > 0 {
			return a
		}
		if level, ok := a.Value.Any().(slog.Level); ok && a.Key == slog.LevelKey {
			return slog.Int(slog.LevelKey, priority(level))
		}
		if a.Key == slog.TimeKey && a.Value.Kind() == slog.KindTime {
			return slog.Attr{}
		}
		return a
	}})
}

func priority(level slog.Level) int {
	switch {
	case level >= slog.LevelError:
		return 3
	case level >= slog.LevelWarn:
		return 4
	case level >= slog.LevelInfo:
		return 6
	}
	return 7
}

// prefixed makes "level=3 msg=..." into "<3>msg=...".
type prefixed struct{ w io.Writer }

func (p prefixed) Write(line []byte) (int, error) {
	text := string(line)
	if rest, ok := strings.CutPrefix(text, "level="); ok {
		if level, rest, ok := strings.Cut(rest, " "); ok {
			text = "<" + level + ">" + rest
		}
	}
	_, err := io.WriteString(p.w, text)
	return len(line), err
}

// forwarding is the sending of logs, which a changed configuration turns.
type forwarding struct {
	life  context.Context
	store *logs.Store
	log   *slog.Logger

	mu   sync.Mutex
	stop context.CancelFunc
	wait func() // until it has stopped
}

func startForwarding(ctx context.Context, store *logs.Store, cfg config.Logging, log *slog.Logger) *forwarding {
	f := &forwarding{life: ctx, store: store, log: log, stop: func() {}, wait: func() {}}
	f.turn(cfg)
	return f
}

// turn ends what is being sent and goes on with other receivers.
func (f *forwarding) turn(cfg config.Logging) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stop()
	f.wait()
	ctx, stop := context.WithCancel(f.life)
	f.stop, f.wait = stop, forwardLogs(ctx, f.store, cfg, f.log)
}

// finish waits until each position is kept; their context has ended.
func (f *forwarding) finish() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.wait()
}

// forwardLogs sends the store to where the configuration says until ctx ends;
// wait then waits until each position is kept.
func forwardLogs(ctx context.Context, store *logs.Store, cfg config.Logging, log *slog.Logger) (wait func()) {
	var trusted *tls.Config
	if cfg.TLSCA != "" {
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM([]byte(cfg.TLSCA)) // checked when the configuration was read
		trusted = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	var running sync.WaitGroup
	for _, text := range cfg.Remote {
		remote, err := config.ParseLogRemote(text)
		if err != nil {
			log.Error("logs are not forwarded", "target", text, "error", err)
			continue
		}
		target := logforward.Target{Protocol: remote.Protocol, Host: remote.Host, Port: remote.Port, TLS: trusted}
		f := &logforward.Forwarder{
			Target: target, Source: store, Position: filepath.Join(layout.LogPositions, url.PathEscape(target.String())+".json"),
			Hostname: hostname, Log: log,
		}
		running.Go(func() { f.Run(ctx) })
	}
	return running.Wait
}

func hostname() string {
	name, err := os.Hostname()
	if err != nil {
		return "" // the message says "-"
	}
	return name
}
