package config

import (
	"crypto/x509"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path"
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

var (
	userName     = regexp.MustCompile(`^[a-z_][a-z0-9_-]{0,31}$`)
	serviceName  = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._-]{0,62}$`)
	variableName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)
	hostLabel    = regexp.MustCompile(`^[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?$`)
	terminal     = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9]{0,31}$`)
	timezone     = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9+_-]*(/[A-Za-z0-9][A-Za-z0-9+_-]*){0,2}$`)
	// crypt(5): $id$..., or what locks an account for good.
	cryptHash = regexp.MustCompile(`^(\$[0-9a-z]+\$[!-9;-~]+|[*!])$`)
	keyType   = regexp.MustCompile(`^(ssh|ecdsa|sk-ssh|sk-ecdsa)-[a-zA-Z0-9@.-]+$`)
)

// ValidUserName says whether a name may stand in /etc/passwd and in a path.
func ValidUserName(name string) bool { return userName.MatchString(name) }

// Validate gives what is impossible in cfg.
func Validate(cfg *Config) []Finding {
	v := &validator{}
	if cfg.Hostname != "" {
		v.check(validHost(cfg.Hostname), "want a host name: letters, digits, - and dots, at most 64", "hostname")
	}
	v.keys(cfg.SSHAuthorizedKeys, "ssh_authorized_keys")
	v.users(cfg.Users)
	v.accounts(cfg)
	v.machine(cfg)
	v.files(cfg.WriteFiles)
	if cfg.Timezone != "" {
		v.check(timezone.MatchString(cfg.Timezone), "want a time zone such as Europe/Lisbon", "timezone")
	}
	v.hosts(cfg.NTP.Servers, "ntp", "servers")
	v.hosts(cfg.NTP.Pools, "ntp", "pools")
	v.hosts(cfg.NTP.Peers, "ntp", "peers")
	v.testudo(&cfg.Testudo)
	return v.findings
}

type validator struct{ findings []Finding }

func (v *validator) check(ok bool, message string, path ...string) {
	if !ok {
		v.findings = append(v.findings, Finding{Path: path, Message: message})
	}
}

func at(i int) string { return "[" + strconv.Itoa(i) + "]" }

func (v *validator) keys(keys []string, where ...string) {
	for i, k := range keys {
		v.check(ValidKey(k), "want an OpenSSH public key: ssh-ed25519 AAAA... [comment]", append(where[:len(where):len(where)], at(i))...)
	}
}

// ValidKey says whether line is one line of authorized_keys with a key in it.
// Options before the key are taken, as sshd does.
func ValidKey(line string) bool {
	if strings.IndexFunc(line, unicode.IsControl) >= 0 {
		return false
	}
	words := strings.Fields(line)
	for i, w := range words {
		if keyType.MatchString(w) {
			return i+1 < len(words) && strings.HasPrefix(words[i+1], "AAAA")
		}
	}
	return false
}

func (v *validator) users(users []User) {
	seen := map[string]bool{}
	for i, u := range users {
		if u.Default {
			continue
		}
		p := func(steps ...string) []string { return append([]string{"users", at(i)}, steps...) }
		v.check(u.Name != "", "a user needs a name", p()...)
		if u.Name != "" {
			v.check(ValidUserName(u.Name), "want a user name: a to z, digits, - and _, at most 32, no digit first", p("name")...)
			v.check(!seen[u.Name], "a user of this name stands here twice", p("name")...)
			seen[u.Name] = true
		}
		v.user(u, p())
	}
}

func (v *validator) files(files []WriteFile) {
	for i, f := range files {
		p := func(step string) []string { return []string{"write_files", at(i), step} }
		v.check(cleanPath(f.Path) && f.Path != "/", "want an absolute path of a file, without . and ..", p("path")...)
		_, err := f.Decode()
		v.check(err == nil, fmt.Sprint(err), p(map[bool]string{true: "encoding", false: "content"}[isEncodingError(err)])...)
		v.check(f.Service == "" || serviceName.MatchString(f.Service), "want the name of a service", p("service")...)
		v.check(f.Service == "" || !f.Append && !f.Defer, "is not possible with append and defer", p("service")...)
		v.check(f.Owner == "" || validOwner(f.Owner), "want user or user:group", p("owner")...)
	}
}

func (v *validator) hosts(names []string, where ...string) {
	for i, n := range names {
		_, err := netip.ParseAddr(n)
		v.check(err == nil || validHost(n), "want a host name or an address", append(where[:len(where):len(where)], at(i))...)
	}
}

func (v *validator) testudo(t *Testudo) {
	v.kernel(t)
	for name, list := range map[string][]string{"enable": t.Services.Enable, "disable": t.Services.Disable} {
		for i, s := range list {
			v.check(serviceName.MatchString(s), "want the name of a service", "testudo", "services", name, at(i))
		}
	}
	for i, p := range t.Services.Profiles {
		v.check(serviceName.MatchString(p), "want the name of a profile", "testudo", "services", "profiles", at(i))
	}
	for name := range t.Services.Variables {
		v.check(variableName.MatchString(name), "want the name of a variable: letters, digits and _, no digit first", "testudo", "services", "variables", name)
	}
	for i, tty := range t.Console.Autologin {
		v.check(terminal.MatchString(tty), "want a terminal's name such as ttyS0", "testudo", "console", "autologin", at(i))
	}
	if t.Syslog.Remote != "" {
		_, err := ParseRemote(t.Syslog.Remote)
		v.check(err == nil, "want [udp://|tcp://]HOST[:PORT]", "testudo", "syslog", "remote")
	}
	for i, r := range t.Logging.Remote {
		_, err := ParseLogRemote(r)
		v.check(err == nil, "want [udp://|tcp://|tls://]HOST[:PORT]", "testudo", "logging", "remote", at(i))
	}
	v.check(t.Logging.TLSCA == "" || x509.NewCertPool().AppendCertsFromPEM([]byte(t.Logging.TLSCA)), "want certificates in PEM", "testudo", "logging", "tls_ca")
	t.Network.Check(func(message string, path ...string) {
		v.check(false, message, append([]string{"testudo", "network"}, path...)...)
	})
	v.registries(t.Registries)
	for i, m := range t.Docker.RegistryMirrors {
		u, err := url.Parse(m)
		v.check(err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "", "want a URL", "testudo", "docker", "registry_mirrors", at(i))
	}
	for i, r := range t.Docker.InsecureRegistries {
		v.check(r != "" && oneLine(r) && !strings.Contains(r, "/") || isCIDR(r), "want HOST[:PORT] or a network", "testudo", "docker", "insecure_registries", at(i))
	}
}

func isCIDR(s string) bool { _, err := netip.ParsePrefix(s); return err == nil }

// Remote is a parsed testudo.syslog.remote or entry of testudo.logging.remote.
type Remote struct {
	Protocol string // "udp", "tcp" or "tls"
	Host     string
	Port     int
}

// ParseRemote reads [udp://|tcp://]HOST[:PORT].
func ParseRemote(s string) (Remote, error) {
	return parseRemote(s, map[string]int{"udp": 514, "tcp": 514})
}

// ParseLogRemote reads [udp://|tcp://|tls://]HOST[:PORT].
func ParseLogRemote(s string) (Remote, error) {
	return parseRemote(s, map[string]int{"udp": 514, "tcp": 514, "tls": 6514})
}

// parseRemote knows these protocols, with their ports.
func parseRemote(s string, ports map[string]int) (Remote, error) {
	r := Remote{Protocol: "udp"}
	if protocol, rest, ok := strings.Cut(s, "://"); ok {
		r.Protocol, s = protocol, rest
	}
	if r.Port = ports[r.Protocol]; r.Port == 0 {
		return Remote{}, fmt.Errorf("unknown protocol %q", r.Protocol)
	}
	r.Host = strings.TrimSuffix(strings.TrimPrefix(s, "["), "]")
	if _, err := netip.ParseAddr(r.Host); err != nil && strings.Contains(s, ":") {
		host, port, err := net.SplitHostPort(s)
		if err != nil {
			return Remote{}, err
		}
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return Remote{}, fmt.Errorf("%q is no port", port)
		}
		r.Host, r.Port = host, int(n)
	}
	if addr, err := netip.ParseAddr(r.Host); err == nil && addr.Zone() == "" {
		return r, nil
	}
	if !validHost(r.Host) {
		return Remote{}, fmt.Errorf("%q is no host name", r.Host)
	}
	return r, nil
}

func validHost(name string) bool {
	name = strings.TrimSuffix(name, ".")
	if len(name) == 0 || len(name) > 64 { // HOST_NAME_MAX, hostname(7)
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if !hostLabel.MatchString(label) {
			return false
		}
	}
	return true
}

func validOwner(s string) bool {
	user, group, two := strings.Cut(s, ":")
	ok := func(name string) bool {
		_, err := strconv.ParseUint(name, 10, 31)
		return err == nil || ValidUserName(name)
	}
	return ok(user) && (!two || ok(group))
}

func cleanPath(p string) bool {
	return path.IsAbs(p) && path.Clean(p) == p && oneLine(p)
}

func oneLine(s string) bool { return strings.IndexFunc(s, unicode.IsControl) < 0 }

// field says whether s may stand between the colons of /etc/passwd.
func field(s string) bool { return oneLine(s) && !strings.Contains(s, ":") }
