package config

import (
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Merge lays sources over one another, the first one lowest, and changes none
// of them. The rules, in the order in which they apply:
//
//   - lists of what lets people in or of things to do add up: ssh_authorized_keys,
//     write_files, bootcmd, runcmd, testudo.services.enable and disable (a
//     service that a later source enables is no longer disabled, and vice
//     versa), testudo.services.profiles and declare;
//   - testudo.services.variables, testudo.sysctl and device_aliases are merged
//     by name, testudo.registries by host, testudo.modules by name, mounts by
//     device, chpasswd.users and groups by name;
//   - ca_certs.trusted adds up;
//   - users are merged by name, field by field; a source with users that does
//     not list "default" does not remove it;
//   - network: a later source replaces an earlier one's as a whole, so that
//     nobody has to work out an interface of two halves;
//   - every other list and every value of a later source replaces.
func Merge(sources ...*Config) *Config {
	out := &Config{}
	for _, s := range sources {
		if s != nil {
			over(out, s)
		}
	}
	return out
}

func over(out, s *Config) {
	replace(&out.Hostname, s.Hostname)
	replace(&out.FQDN, s.FQDN)
	replaceBool(&out.PreferFQDN, s.PreferFQDN)
	replaceBool(&out.PreserveHostname, s.PreserveHostname)
	replace(&out.ManageEtcHosts, s.ManageEtcHosts)
	replace(&out.Timezone, s.Timezone)
	replace(&out.Locale, s.Locale)
	out.SSHAuthorizedKeys = union(out.SSHAuthorizedKeys, s.SSHAuthorizedKeys)
	out.WriteFiles = slices.Concat(out.WriteFiles, s.WriteFiles)
	out.Bootcmd = slices.Concat(out.Bootcmd, s.Bootcmd)
	out.Runcmd = slices.Concat(out.Runcmd, s.Runcmd)
	mergeUsers(out, s.Users)
	mergeAccounts(out, s)
	mergeDisks(out, s)
	if len(s.CACerts.Trusted) > 0 || s.CACerts.RemoveDefaults {
		out.CACerts.Trusted = union(out.CACerts.Trusted, s.CACerts.Trusted)
		out.CACerts.RemoveDefaults = out.CACerts.RemoveDefaults || s.CACerts.RemoveDefaults
	}
	replaceWhole(&out.RandomSeed, s.RandomSeed)
	replaceWhole(&out.PowerState, s.PowerState)
	if s.PhoneHome.URL != "" {
		out.PhoneHome = s.PhoneHome
	}
	replace(&out.FinalMessage, s.FinalMessage)
	out.Notes = slices.Concat(out.Notes, s.Notes)

	if s.NTP.Enabled != nil {
		out.NTP.Enabled = s.NTP.Enabled
	}
	replaceList(&out.NTP.Servers, s.NTP.Servers)
	replaceList(&out.NTP.Pools, s.NTP.Pools)
	replaceList(&out.NTP.Peers, s.NTP.Peers)
	if s.ResolvConf.Nameservers != nil {
		out.ResolvConf.Nameservers = s.ResolvConf.Nameservers
	}
	replaceList(&out.ResolvConf.Searchdomains, s.ResolvConf.Searchdomains)
	replace(&out.ResolvConf.Domain, s.ResolvConf.Domain)
	replaceList(&out.ResolvConf.Options, s.ResolvConf.Options)
	if s.Network != nil {
		out.Network = s.Network
	}

	o, t := &out.Testudo, &s.Testudo
	o.Sysctl = overlay(o.Sysctl, t.Sysctl)
	o.Modules = mergeModules(o.Modules, t.Modules)
	o.Services.Disable = union(without(o.Services.Disable, t.Services.Enable), t.Services.Disable)
	o.Services.Enable = union(without(o.Services.Enable, t.Services.Disable), t.Services.Enable)
	o.Services.Profiles = union(o.Services.Profiles, t.Services.Profiles)
	o.Services.Variables = overlay(o.Services.Variables, t.Services.Variables)
	o.Services.Declare = slices.Concat(o.Services.Declare, t.Services.Declare)
	replaceList(&o.Console.Autologin, t.Console.Autologin)
	replace(&o.Syslog.Remote, t.Syslog.Remote)
	replaceList(&o.Logging.Remote, t.Logging.Remote)
	replace(&o.Logging.TLSCA, t.Logging.TLSCA)
	replaceList(&o.Docker.RegistryMirrors, t.Docker.RegistryMirrors)
	replaceList(&o.Docker.InsecureRegistries, t.Docker.InsecureRegistries)
	o.Registries = mergeRegistries(o.Registries, t.Registries)
	replace(&o.State.Autoformat, t.State.Autoformat)
	mergeNetwork(&o.Network, t.Network)
}

func mergeUsers(out *Config, users []User) {
	out.Users = slices.Clone(out.Users)
	for _, u := range users {
		i := slices.IndexFunc(out.Users, func(have User) bool { return have.Default == u.Default && have.Name == u.Name })
		if i < 0 {
			out.Users = append(out.Users, u)
			continue
		}
		overUser(&out.Users[i], u)
	}
}

func overUser(out *User, u User) {
	replace(&out.Gecos, u.Gecos)
	replaceList(&out.Groups, u.Groups)
	replace(&out.PrimaryGroup, u.PrimaryGroup)
	replaceList(&out.Sudo, u.Sudo)
	replace(&out.Shell, u.Shell)
	out.SSHAuthorizedKeys = union(out.SSHAuthorizedKeys, u.SSHAuthorizedKeys)
	if u.Passwd != "" || u.HashedPasswd != "" || u.PlainTextPasswd != "" {
		out.Passwd, out.HashedPasswd, out.PlainTextPasswd = u.Passwd, u.HashedPasswd, u.PlainTextPasswd
	}
	out.NoUserGroup = out.NoUserGroup || u.NoUserGroup
	out.System = out.System || u.System
	out.SSHRedirectUser = out.SSHRedirectUser || u.SSHRedirectUser
	replace(&out.Inactive, u.Inactive)
	replace(&out.Expiredate, u.Expiredate)
	if u.LockPasswd != nil {
		out.LockPasswd = u.LockPasswd
	}
	if u.UID != nil {
		out.UID = u.UID
	}
	replace(&out.Homedir, u.Homedir)
	out.NoCreateHome = out.NoCreateHome || u.NoCreateHome
}

func replace[T ~string](out *T, s T) {
	if s != "" {
		*out = s
	}
}

// replaceList lets an empty list, as against an absent one, clear what was.
func replaceList[L ~[]string](out *L, s L) {
	if s != nil {
		*out = slices.Clone(s)
	}
}

func union(a, b []string) []string {
	out := slices.Clone(a)
	for _, s := range b {
		if s = strings.TrimSpace(s); !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

func overlay[V any](a, b map[string]V) map[string]V {
	if len(b) == 0 {
		return a
	}
	out := maps.Clone(a)
	if out == nil {
		out = map[string]V{}
	}
	maps.Copy(out, b)
	return out
}

func without(list, drop []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return slices.Contains(drop, s) })
}

func replaceBool(out **bool, s *bool) {
	if s != nil {
		*out = s
	}
}

// replaceWhole is for mappings whose keys mean something together only.
func replaceWhole[T any](out *T, s T) {
	if !reflect.ValueOf(s).IsZero() {
		*out = s
	}
}

func mergeAccounts(out, s *Config) {
	if s.User != nil {
		var all []User
		if out.User != nil {
			all = []User{User(*out.User)}
			all[0].Name = ""
		}
		one := User(*s.User)
		one.Name = ""
		merged := mergedUser(all, one)
		merged.Name = s.User.Name
		if merged.Name == "" && out.User != nil {
			merged.Name = out.User.Name
		}
		change := DefaultUserChange(merged)
		out.User = &change
	}
	out.Groups = slices.Clone(out.Groups)
	for _, g := range s.Groups {
		if i := slices.IndexFunc(out.Groups, func(have Group) bool { return have.Name == g.Name }); i >= 0 {
			out.Groups[i].Members = union(out.Groups[i].Members, g.Members)
		} else {
			out.Groups = append(out.Groups, g)
		}
	}
	replace(&out.Password, s.Password)
	replaceBool(&out.Chpasswd.Expire, s.Chpasswd.Expire)
	for _, p := range s.Chpasswd.All() {
		same := func(have Password) bool { return have.Name == p.Name }
		out.Chpasswd.Users = slices.DeleteFunc(slices.Clone(out.Chpasswd.Users), same)
		out.Chpasswd.List = slices.DeleteFunc(slices.Clone(out.Chpasswd.List), same)
	}
	out.Chpasswd.Users = append(out.Chpasswd.Users, s.Chpasswd.Users...)
	out.Chpasswd.List = append(out.Chpasswd.List, s.Chpasswd.List...)
	replaceWhole(&out.SSHKeys, s.SSHKeys)
	replaceBool(&out.SSHDeleteKeys, s.SSHDeleteKeys)
	if s.SSHPwauth != "unchanged" {
		replace(&out.SSHPwauth, s.SSHPwauth)
	}
	replaceBool(&out.DisableRoot, s.DisableRoot)
	replace(&out.DisableRootOpts, s.DisableRootOpts)
}

func mergedUser(below []User, over User) User {
	if len(below) == 0 {
		return over
	}
	out := below[0]
	overUser(&out, over)
	return out
}

func mergeDisks(out, s *Config) {
	out.DeviceAliases = overlay(out.DeviceAliases, s.DeviceAliases)
	out.DiskSetup = overlay(out.DiskSetup, s.DiskSetup)
	replace(&out.Growpart.Mode, s.Growpart.Mode)
	replaceList(&out.Growpart.Devices, s.Growpart.Devices)
	replaceBool(&out.Growpart.Ignored, s.Growpart.Ignored)
	out.FSSetup = slices.Concat(out.FSSetup, s.FSSetup)
	out.Mounts = slices.Clone(out.Mounts)
	for _, m := range s.Mounts {
		out.Mounts = slices.DeleteFunc(out.Mounts, func(have MountEntry) bool { return have.field(0) == m.field(0) })
		out.Mounts = append(out.Mounts, m)
	}
	replaceList(&out.MountDefaultFields, s.MountDefaultFields)
	replaceWhole(&out.Swap, s.Swap)
	replace(&out.ResizeRootfs, s.ResizeRootfs)
}

func mergeModules(out, later []Module) []Module {
	out = slices.Clone(out)
	for _, m := range later {
		out = slices.DeleteFunc(out, func(have Module) bool { return have.Name == m.Name })
		out = append(out, m)
	}
	return out
}
