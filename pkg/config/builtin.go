package config

import _ "embed" // builtin.yaml

//go:embed builtin.yaml
var builtin []byte

// Builtin is the lowest source. The error cannot happen in a tested build.
func Builtin() (*Config, error) { return Parse("builtin.yaml", builtin) }

// DefaultUser is what the word "default" in `users` stands for. Its password
// is locked; the keys of the top-level ssh_authorized_keys let it in.
func DefaultUser() User {
	uid := UID(1000)
	return User{
		Name:   "ros",
		Gecos:  "Testudo",
		Groups: WordList{"docker", "sudo", "adm"},
		Sudo:   Sudo{"ALL=(ALL) NOPASSWD:ALL"},
		Shell:  "/bin/bash",
		UID:    &uid,
	}
}
