package config

import (
	"crypto/x509"
	"encoding/pem"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var (
	sysctlName   = regexp.MustCompile(`^[a-zA-Z0-9_-]+([./][a-zA-Z0-9_*:@+-]+)+$`)
	moduleName   = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_-]{0,63}$`)
	moduleParams = regexp.MustCompile(`^[\x20-\x7e]*$`)
	localeName   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}$`)
	fsLabel      = regexp.MustCompile(`^[\x21-\x7e]{0,16}$`)
	deviceName   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.:+-]*$`)
	validSudo    = func(rule string) bool { return oneLine(rule) && strings.Contains(rule, "=") }
)

// machine checks what concerns the machine as a whole.
func (v *validator) machine(c *Config) {
	v.check(c.FQDN == "" || validHost(c.FQDN), "want a host name: letters, digits, - and dots, at most 64", "fqdn")
	v.check(c.Locale == "" || localeName.MatchString(c.Locale), "want the name of a locale such as C.UTF-8", "locale")
	for i, pem := range c.CACerts.Trusted {
		v.check(x509.NewCertPool().AppendCertsFromPEM([]byte(pem)), "want certificates in PEM form", "ca_certs", "trusted", at(i))
	}
	if _, err := c.RandomSeed.Bytes(); err != nil {
		v.check(false, err.Error(), "random_seed", map[bool]string{true: "encoding", false: "data"}[isEncodingError(err)])
	}
	v.check(c.RandomSeed.File == "" || c.RandomSeed.File == "/dev/urandom" || c.RandomSeed.File == "/dev/random", "want /dev/urandom, the kernel's", "random_seed", "file")
	v.disks(c)
	v.resolvConf(c.ResolvConf)
	if c.PhoneHome.URL != "" || c.PhoneHome.Tries != 0 || c.PhoneHome.Post != nil {
		u, err := url.Parse(c.PhoneHome.URL)
		v.check(err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && oneLine(c.PhoneHome.URL), "want a URL", "phone_home", "url")
		v.check(c.PhoneHome.Tries >= 0 && c.PhoneHome.Tries <= 1000, "want 1 to 1000 tries", "phone_home", "tries")
	}
	for i, key := range c.PhoneHome.Post {
		v.check(slices.Contains(PhoneHomeKeys, key), "want one of "+strings.Join(PhoneHomeKeys, ", "), "phone_home", "post", at(i))
	}
	p := c.PowerState
	if p.Mode != "" || p.Delay != "" || p.Message != "" || p.Condition != (Condition{}) {
		v.check(slices.Contains([]string{"poweroff", "reboot", "halt"}, p.Mode), "want poweroff, reboot or halt", "power_state", "mode")
	}
	v.check(p.Timeout >= 0, "want seconds, 0 or more", "power_state", "timeout")
}

func (v *validator) disks(c *Config) {
	for name, device := range c.DeviceAliases {
		v.check(deviceName.MatchString(name), "want a name: letters, digits, . and _", "device_aliases", name)
		v.check(cleanPath(device) && strings.HasPrefix(device, "/dev/"), "want a device such as /dev/vdb", "device_aliases", name)
	}
	v.partitions(c)
	for i, f := range c.FSSetup {
		p := func(step string) []string { return []string{"fs_setup", at(i), step} }
		v.check(c.validDevice(f.Device), "want a device such as /dev/vdb, LABEL=name, or an alias", p("device")...)
		v.check(slices.Contains([]string{"ext2", "ext3", "ext4", "swap"}, f.Filesystem), "want ext2, ext3, ext4 or swap", p("filesystem")...)
		v.check(fsLabel.MatchString(f.Label), "want at most 16 letters", p("label")...)
		if part := string(f.Partition); part != "" && part != "none" && part != "auto" && part != "any" {
			n, err := strconv.Atoi(part)
			v.check(err == nil && n > 0 && n < 256, "want none, auto, any or the number of a partition", p("partition")...)
		}
		for j, o := range f.ExtraOpts {
			v.check(oneLine(o), "want options in one line", "fs_setup", at(i), "extra_opts", at(j))
		}
	}
	for i, m := range c.Mounts {
		p := func(step int) []string { return []string{"mounts", at(i), at(step)} }
		v.check(c.validDevice(m.field(0)), "want a device such as /dev/vdb1, LABEL=name, UUID=..., or an alias", p(0)...)
		where := m.field(1)
		swap := m.field(2) == "swap"
		v.check(len(m) == 1 || where == "" || where == "none" && swap || !swap && validMountPoint(where),
			"want a folder below /mnt, /media, /home, /root or /var/lib/docker: all others are read-only, or seen by one service alone", p(1)...)
		for _, j := range []int{2, 3} {
			v.check(oneLine(m.field(j)) && !strings.Contains(m.field(j), " "), "want words with commas between them", p(j)...)
		}
	}
	if s := c.Swap; s.Filename != "" || s.Size != "" {
		v.check(s.Filename == "" || cleanPath(s.Filename) && s.Filename != "/", "want an absolute path", "swap", "filename")
		v.check(s.MaxSize != "auto", "want a number of bytes such as 2G", "swap", "maxsize")
	}
}

// validDevice says whether a text names a device, as fstab(5) and cloud-init do.
func (c *Config) validDevice(s string) bool {
	if name, _, _ := strings.Cut(s, "."); c.DeviceAliases[name] != "" || c.DeviceAliases[s] != "" {
		return true
	}
	if tag, value, ok := strings.Cut(s, "="); ok {
		return slices.Contains([]string{"LABEL", "UUID"}, tag) && value != "" && oneLine(value) && !strings.Contains(value, "/")
	}
	if strings.HasPrefix(s, "/") {
		return cleanPath(s) && strings.HasPrefix(s, "/dev/")
	}
	return deviceName.MatchString(s)
}

// mountRoots are where folders for mounts can be made and are seen by all.
var mountRoots = []string{"/mnt", "/media", "/home", "/root", "/var/lib/docker"}

func validMountPoint(path string) bool {
	if !cleanPath(path) {
		return false
	}
	return slices.ContainsFunc(mountRoots, func(root string) bool { return path == root || strings.HasPrefix(path, root+"/") })
}

// ours checks the keys under testudo that concern the kernel.
func (v *validator) kernel(t *Testudo) {
	for name, value := range t.Sysctl {
		v.check(sysctlName.MatchString(name) && !strings.Contains(name, ".."), "want a name such as net.ipv4.ip_forward", "testudo", "sysctl", name)
		v.check(oneLine(string(value)), "want a value of one line", "testudo", "sysctl", name)
	}
	for i, m := range t.Modules {
		v.check(moduleName.MatchString(m.Name) && moduleParams.MatchString(m.Params), "want the name of a module, and its parameters behind it", "testudo", "modules", at(i))
	}
}

// validPrivateKey says whether a text is a private key that needs no passphrase.
func validPrivateKey(text string) bool {
	block, _ := pem.Decode([]byte(text))
	return block != nil && strings.HasSuffix(block.Type, "PRIVATE KEY") && block.Headers["DEK-Info"] == "" && !strings.HasPrefix(block.Type, "ENCRYPTED")
}
