package config

import (
	"maps"
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
//   - testudo.services.variables are merged by name;
//   - users are merged by name, field by field; a source with users that does
//     not list "default" does not remove it;
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
	replace(&out.Timezone, s.Timezone)
	out.SSHAuthorizedKeys = union(out.SSHAuthorizedKeys, s.SSHAuthorizedKeys)
	out.WriteFiles = slices.Concat(out.WriteFiles, s.WriteFiles)
	out.Bootcmd = slices.Concat(out.Bootcmd, s.Bootcmd)
	out.Runcmd = slices.Concat(out.Runcmd, s.Runcmd)
	mergeUsers(out, s.Users)

	if s.NTP.Enabled != nil {
		out.NTP.Enabled = s.NTP.Enabled
	}
	replaceList(&out.NTP.Servers, s.NTP.Servers)
	replaceList(&out.NTP.Pools, s.NTP.Pools)
	replaceList(&out.NTP.Peers, s.NTP.Peers)

	o, t := &out.Testudo, &s.Testudo
	o.Services.Disable = union(without(o.Services.Disable, t.Services.Enable), t.Services.Disable)
	o.Services.Enable = union(without(o.Services.Enable, t.Services.Disable), t.Services.Enable)
	o.Services.Profiles = union(o.Services.Profiles, t.Services.Profiles)
	o.Services.Variables = overlay(o.Services.Variables, t.Services.Variables)
	o.Services.Declare = slices.Concat(o.Services.Declare, t.Services.Declare)
	replaceList(&o.Console.Autologin, t.Console.Autologin)
	replace(&o.Syslog.Remote, t.Syslog.Remote)
	replaceList(&o.Logging.Remote, t.Logging.Remote)
	replace(&o.Logging.TLSCA, t.Logging.TLSCA)
	replace(&o.Logging.MaxSize, t.Logging.MaxSize)
	replace(&o.Logging.MaxAge, t.Logging.MaxAge)
	o.Logging.Services = mergeLogLimits(o.Logging.Services, t.Logging.Services)
	replaceList(&o.Docker.RegistryMirrors, t.Docker.RegistryMirrors)
	replaceList(&o.Docker.InsecureRegistries, t.Docker.InsecureRegistries)
	o.Registries = mergeRegistries(o.Registries, t.Registries)
	replace(&o.State.Autoformat, t.State.Autoformat)
}

func mergeLogLimits(below, above map[string]LogLimits) map[string]LogLimits {
	if len(above) == 0 {
		return below
	}
	out := maps.Clone(below)
	if out == nil {
		out = map[string]LogLimits{}
	}
	for name, limits := range above {
		merged := out[name]
		replace(&merged.MaxSize, limits.MaxSize)
		replace(&merged.MaxAge, limits.MaxAge)
		out[name] = merged
	}
	return out
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
	replace(&out.Passwd, u.Passwd)
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

func overlay(a, b map[string]Secret) map[string]Secret {
	if len(b) == 0 {
		return a
	}
	out := maps.Clone(a)
	if out == nil {
		out = map[string]Secret{}
	}
	maps.Copy(out, b)
	return out
}

func without(list, drop []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return slices.Contains(drop, s) })
}
