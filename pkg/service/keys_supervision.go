package service

import (
	"net"
	"net/netip"
	"net/url"
	"path"
	"strconv"

	"gopkg.in/yaml.v3"

	"github.com/testudo-os/testudo/pkg/strictyaml"
)

// supervisionYAML are the keys of x-ros about a service's life.
type supervisionYAML struct {
	Watchdog     duration     `yaml:"watchdog"`
	StartTimeout duration     `yaml:"start_timeout"`
	Trial        duration     `yaml:"trial"`
	Healthcheck  probeYAML    `yaml:"healthcheck"`
	Schedule     scheduleYAML `yaml:"schedule"`
}

func (y *supervisionYAML) supervision() Supervision {
	return Supervision{Watchdog: y.Watchdog.std(), StartTimeout: y.StartTimeout.std(), Trial: y.Trial.std(), Schedule: y.Schedule.schedule()}
}

// probeYAML is x-ros.healthcheck.
type probeYAML struct {
	HTTP probeURL     `yaml:"http"`
	TCP  probeAddress `yaml:"tcp"`
	File absolutePath `yaml:"file"`
}

func (y probeYAML) probe() Probe {
	return Probe{HTTP: string(y.HTTP), TCP: string(y.TCP), File: string(y.File)}
}

// check says what is wrong with x-ros.healthcheck beside Compose's healthcheck.
func (y probeYAML) check(beside *healthcheckYAML) string {
	kinds := 0
	for _, set := range []bool{y.HTTP != "", y.TCP != "", y.File != ""} {
		if set {
			kinds++
		}
	}
	switch {
	case kinds > 1:
		return "x-ros.healthcheck: want one of http, tcp and file"
	case kinds == 1 && beside != nil && (len(beside.Test) > 0 || beside.Disable):
		return "x-ros.healthcheck stands in for healthcheck.test: want one of them"
	}
	return ""
}

type probeURL string

func (p *probeURL) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	var text string
	if !d.Decode(n, &text) {
		return
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" || u.Host == "" || !isLocalHost(u.Hostname()) {
		d.Wrong(n, "a URL such as http://127.0.0.1:8080/health, of an address or localhost")
		return
	}
	*p = probeURL(text)
}

type probeAddress string

func (p *probeAddress) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	var text string
	if !d.Decode(n, &text) {
		return
	}
	host, port, err := net.SplitHostPort(text)
	if number, portErr := strconv.ParseUint(port, 10, 16); err != nil || portErr != nil || number == 0 || !isLocalHost(host) {
		d.Wrong(n, "HOST:PORT such as 127.0.0.1:8080, with an address or localhost")
		return
	}
	*p = probeAddress(text)
}

// isLocalHost keeps resolvers out of healthchecks: they would be asked again
// and again, and by rosd.
func isLocalHost(host string) bool {
	_, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && path.Base(host) == host
}
