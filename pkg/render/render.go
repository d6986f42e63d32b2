// Package render turns the configuration into the files that services read
// below layout.Rendered: NAME/... for the service NAME. Files is pure; Write
// puts its result in place. rosd imports it. A service sees its own folder
// only, so nothing secret of another one can leak.
package render

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/testudo-os/testudo/pkg/apply"
	"github.com/testudo-os/testudo/pkg/atomicfile"
	"github.com/testudo-os/testudo/pkg/config"
	"github.com/testudo-os/testudo/pkg/netplan"
)

// Services are those that have a folder, also when it is empty: a bind mount
// of it must find something.
func Services() []string { return []string{"docker", "network", "ntp", "syslog"} }

// Files gives the files by path, SERVICE/NAME.
func Files(cfg *config.Config) (map[string]string, error) {
	files := map[string]string{}
	add := func(path, content string) {
		if content != "" {
			files[path] = content
		}
	}
	// The name is that of the image's own file, which it hides.
	add("ntp/default.sources", ntp(cfg.NTP))
	remote, err := syslog(cfg.Testudo.Syslog)
	if err != nil {
		return nil, err
	}
	add("syslog/remote.conf", remote)
	daemon, err := docker(cfg.Testudo.Docker, cfg.Testudo.Network.Proxy)
	if err != nil {
		return nil, err
	}
	add("docker/daemon.json", daemon)
	trusted := apply.Bundle("", cfg.CACerts)
	add("docker/trusted.crt", trusted)
	if cfg.CACerts.RemoveDefaults {
		files["docker/trusted.crt"] = trusted // also when it holds none
		add("docker/only-trusted", "The image's certificates do not count.\n")
	}
	settings, err := netplan.Settings{Network: cfg.Network, Testudo: cfg.Testudo.Network}.Encode()
	if err != nil {
		return nil, err
	}
	if string(settings) != "{}\n" { // nothing said: DHCP on every card
		add("network/network.json", string(settings))
	}
	return files, nil
}

const made = "# Made from the configuration of the machine; changes here are lost.\n"

// ntp gives chrony's sources (chrony.conf(5), sourcedir); "" leaves the image's.
func ntp(n config.NTP) string {
	var b strings.Builder
	for _, s := range n.Servers {
		fmt.Fprintf(&b, "server %s iburst\n", s)
	}
	for _, p := range n.Pools {
		fmt.Fprintf(&b, "pool %s iburst maxsources 4\n", p)
	}
	for _, p := range n.Peers {
		fmt.Fprintf(&b, "peer %s\n", p)
	}
	return b.String()
}

// syslog gives rsyslog's forwarding. While the other side of a connection is
// away messages wait, first in memory and then on disk, within bounds; what is
// more is not sent. By UDP nobody learns that the other side is away.
//
// While it is being stopped rsyslogd tries in a tight circle and logs each try:
// 50 ms of that, before it saves the queue, are enough.
func syslog(s config.Syslog) (string, error) {
	if s.Remote == "" {
		return "", nil
	}
	r, err := config.ParseRemote(s.Remote)
	if err != nil {
		return "", fmt.Errorf("render testudo.syslog.remote: %w", err)
	}
	host := r.Host
	if addr, err := netip.ParseAddr(host); err == nil {
		host = addr.String()
	}
	return made + fmt.Sprintf(`action(type="omfwd" target=%q port="%d" protocol=%q template="RSYSLOG_SyslogProtocol23Format"
       action.resumeRetryCount="-1" action.resumeInterval="5" action.resumeIntervalMax="60"
       queue.type="LinkedList" queue.size="2000" queue.timeoutEnqueue="0"
       queue.filename="remote" queue.maxFileSize="1m" queue.maxDiskSpace="16m" queue.saveOnShutdown="on"
       queue.timeoutActionCompletion="50")
`, host, r.Port, r.Protocol), nil
}

// proxies are dockerd's own (daemon.json, proxies): for what it pulls.
type proxies struct {
	HTTP    string `json:"http-proxy,omitempty"`
	HTTPS   string `json:"https-proxy,omitempty"`
	NoProxy string `json:"no-proxy,omitempty"`
}

// docker gives the part of dockerd's daemon.json that is configurable; "" when
// nothing is.
func docker(d config.Docker, p netplan.Proxy) (string, error) {
	daemon := struct {
		Mirrors  []string `json:"registry-mirrors,omitempty"`
		Insecure []string `json:"insecure-registries,omitempty"`
		Proxies  *proxies `json:"proxies,omitempty"`
	}{d.RegistryMirrors, d.InsecureRegistries, nil}
	if p.HTTP != "" || p.HTTPS != "" {
		daemon.Proxies = &proxies{p.HTTP, p.HTTPS, strings.Join(p.NoProxy, ",")}
	}
	if len(daemon.Mirrors) == 0 && len(daemon.Insecure) == 0 && daemon.Proxies == nil {
		return "", nil
	}
	text, err := json.MarshalIndent(daemon, "", "  ")
	if err != nil {
		return "", fmt.Errorf("render testudo.docker: %w", err)
	}
	return string(text) + "\n", nil
}

// Write makes the folders of Services below dir hold exactly files. Other
// folders are other people's.
func Write(dir string, files map[string]string) error {
	var errs []error
	for _, service := range Services() {
		errs = append(errs, writeFolder(dir, service, files))
	}
	return errors.Join(errs...)
}

// mode of a service's files: those of the network may hold keys of WireGuard.
func mode(service string) os.FileMode {
	if service == "network" {
		return 0o600
	}
	return 0o644
}

func writeFolder(dir, service string, files map[string]string) error {
	folder := filepath.Join(dir, service)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fmt.Errorf("render for %s: %w", service, err)
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return fmt.Errorf("render for %s: %w", service, err)
	}
	var errs []error
	for path, content := range files {
		if filepath.Dir(path) == service {
			errs = append(errs, atomicfile.Write(filepath.Join(dir, path), []byte(content), mode(service)))
		}
	}
	for _, e := range entries {
		if _, wanted := files[filepath.Join(service, e.Name())]; !wanted {
			if err := os.RemoveAll(filepath.Join(folder, e.Name())); !errors.Is(err, fs.ErrNotExist) {
				errs = append(errs, err)
			}
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("render for %s: %w", service, err)
	}
	return nil
}
