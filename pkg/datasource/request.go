package datasource

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/testudo-os/testudo/pkg/cmdline"
	"github.com/testudo-os/testudo/pkg/layout"
)

// Request is what somebody said about datasources: on the kernel command line,
// or as the serial number that a hypervisor gives its machine.
type Request struct {
	From  string   // for people: the argument, or "serial number in SMBIOS"
	Off   bool     // no datasource at all
	Names []string // these alone, in this order; empty: as the facts say
	Seed  Seed     // of NoCloud
	URL   string   // of user data
}

// Seed is what a NoCloud line can say: ds=nocloud;s=URL;h=NAME;i=ID.
type Seed struct {
	From       string // URL or directory below which the files are
	Hostname   string
	InstanceID string
}

// Requests reads the kernel command line, then the serial number; the first
// that says anything counts. Problems are arguments that mean nothing.
//
//	testudo.datasource=none            no datasource
//	testudo.datasource=ec2,nocloud     these, in this order, whatever the facts say
//	testudo.datasource=URL             user data at this URL (http, https, tftp)
//	ds=nocloud[;s=URL][;h=NAME][;i=ID] cloud-init's line; ds=NAME for other sources
//	cloud-config-url=URL               cloud-init's name of the third form
func Requests(f *Facts) (Request, []string) {
	var problems []string
	for _, key := range []string{layout.ArgDatasource, "ds", "ci.ds", "cloud-config-url"} {
		value, ok := f.Cmdline.Get(key)
		if !ok {
			continue
		}
		r, err := parseRequest(value)
		if err != nil {
			problems = append(problems, fmt.Sprintf("kernel argument %s: %v; it is ignored", key, err))
			continue
		}
		r.From = "kernel argument " + key
		return r, problems
	}
	for _, arg := range cmdline.Parse(f.DMI.ProductSerial) {
		if arg.Key != "ds" {
			continue
		}
		r, err := parseRequest(arg.Value)
		if err != nil {
			problems = append(problems, fmt.Sprintf("serial number in SMBIOS: %v; it is ignored", err))
			continue
		}
		r.From = "serial number in SMBIOS"
		return r, problems
	}
	return Request{}, problems
}

// parseRequest reads any of the forms that Requests lists.
func parseRequest(value string) (Request, error) {
	head, rest, _ := strings.Cut(value, ";")
	switch {
	case head == "":
		return Request{}, fmt.Errorf("want names of datasources, a URL or none")
	case strings.Contains(head, "://"):
		if err := checkURL(value); err != nil {
			return Request{}, err
		}
		return Request{URL: value, Names: []string{"url"}}, nil
	}
	var r Request
	for name := range strings.SplitSeq(head, ",") {
		name = strings.ToLower(strings.TrimSpace(name))
		switch name {
		case "":
			continue
		case "nocloud-net":
			name = "nocloud"
		case "none", "off":
			r.Off = true
			continue
		}
		if !slices.Contains(r.Names, name) {
			r.Names = append(r.Names, name)
		}
	}
	if r.Off && len(r.Names) > 0 {
		return Request{}, fmt.Errorf("%q says none and names some", head)
	}
	seed, err := parseSeed(rest)
	if err != nil {
		return Request{}, err
	}
	r.Seed = seed
	return r, nil
}

func parseSeed(rest string) (Seed, error) {
	var s Seed
	for item := range strings.SplitSeq(rest, ";") {
		key, value, _ := strings.Cut(item, "=")
		switch strings.TrimSpace(key) {
		case "":
		case "s", "seedfrom":
			if !strings.HasPrefix(value, "/") {
				if err := checkURL(value); err != nil {
					return Seed{}, err
				}
			}
			s.From = value
		case "h", "local-hostname":
			s.Hostname = value
		case "i", "instance-id":
			s.InstanceID = value
		case "dsmode":
		default:
			return Seed{}, fmt.Errorf("unknown key %q, want s, h or i", key)
		}
	}
	return s, nil
}

// checkURL says whether we can fetch what s names.
func checkURL(s string) error {
	u, err := url.Parse(s)
	if err != nil {
		return fmt.Errorf("%q is not a URL", s)
	}
	switch u.Scheme {
	case "http", "https":
		if u.Host == "" {
			return fmt.Errorf("%q names no host", s)
		}
	case "tftp": // without a host: the boot server that DHCP names
	case "file":
		if u.Host != "" || u.Path == "" {
			return fmt.Errorf("%q is no path of this machine", s)
		}
	default:
		return fmt.Errorf("scheme %q: want http, https, tftp or file", u.Scheme)
	}
	return nil
}
