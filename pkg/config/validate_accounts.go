package config

import (
	"slices"
	"time"
)

// accounts checks what concerns users beside `users` itself.
func (v *validator) accounts(c *Config) {
	if c.User != nil {
		v.check(c.User.Name == "" || ValidUserName(c.User.Name), "want a user name: a to z, digits, - and _, at most 32, no digit first", "user", "name")
		one := User(*c.User)
		one.Name = "default" // it need not have one
		v.user(one, []string{"user"})
	}
	for i, g := range c.Groups {
		v.check(ValidUserName(g.Name), "want a group name: a to z, digits, - and _", "groups", at(i))
		for _, m := range g.Members {
			v.check(ValidUserName(m), "want names of users", "groups", at(i), g.Name)
		}
	}
	v.check(oneLine(string(c.Password)), "a password is one line", "password")
	for _, form := range []struct {
		key  string
		list []Password
	}{{"users", c.Chpasswd.Users}, {"list", c.Chpasswd.List}} {
		for i, p := range form.list {
			where := func(step string) []string {
				if form.key == "list" {
					return []string{"chpasswd", "list"}
				}
				return []string{"chpasswd", "users", at(i), step}
			}
			v.check(ValidUserName(p.Name), "want the name of a user", where("name")...)
			switch p.Kind() {
			case passwordHash:
				v.check(IsHash(p.Password), "want a crypt hash such as mkpasswd or openssl passwd -6 makes, or type: text", where("password")...)
			case passwordText:
				v.check(p.Password != "" && oneLine(string(p.Password)), "want a password of one line", where("password")...)
			case passwordRandom:
				v.check(p.Password == "", "a random password is not given", where("password")...)
			default:
				v.check(false, "want hash, text or RANDOM", where("type")...)
			}
		}
	}
	v.check(oneLine(c.DisableRootOpts), "want options of authorized_keys(5) in one line", "disable_root_opts")
	for _, k := range c.SSHKeys.All() {
		v.check(validPrivateKey(string(k.Private)), "want a private key in OpenSSH's or PEM form, without a passphrase", "ssh_keys", k.Type+"_private")
		v.check(k.Public == "" || ValidKey(k.Public), "want an OpenSSH public key", "ssh_keys", k.Type+"_public")
	}
	for _, pair := range []struct {
		kind    string
		private Secret
		more    []string
	}{
		{"ed25519", c.SSHKeys.Ed25519Private, []string{c.SSHKeys.Ed25519Public, c.SSHKeys.Ed25519Certificate}},
		{"ecdsa", c.SSHKeys.ECDSAPrivate, []string{c.SSHKeys.ECDSAPublic, c.SSHKeys.ECDSACertificate}},
		{"rsa", c.SSHKeys.RSAPrivate, []string{c.SSHKeys.RSAPublic, c.SSHKeys.RSACertificate}},
	} {
		v.check(pair.private != "" || !slices.ContainsFunc(pair.more, func(s string) bool { return s != "" }), "its private key is missing", "ssh_keys", pair.kind+"_private")
	}
}

// user checks the fields of one user that its name has no part in.
func (v *validator) user(u User, where []string) {
	p := func(steps ...string) []string { return append(where[:len(where):len(where)], steps...) }
	v.check(field(u.Gecos), "may not hold a colon or a line break", p("gecos")...)
	for j, g := range u.Groups {
		v.check(ValidUserName(g), "want a group name: a to z, digits, - and _", p("groups", at(j))...)
	}
	v.check(u.PrimaryGroup == "" || ValidUserName(u.PrimaryGroup), "want a group name: a to z, digits, - and _", p("primary_group")...)
	for j, rule := range u.Sudo {
		v.check(validSudo(rule), `want a sudo rule such as "ALL=(ALL) NOPASSWD:ALL"`, p("sudo", at(j))...)
	}
	v.check(u.Shell == "" || cleanPath(u.Shell) && field(u.Shell), "want an absolute path", p("shell")...)
	v.check(u.Homedir == "" || cleanPath(u.Homedir) && field(u.Homedir), "want an absolute path", p("homedir")...)
	for key, hash := range map[string]Secret{"passwd": u.Passwd, "hashed_passwd": u.HashedPasswd} {
		v.check(hash == "" || IsHash(hash), "want a crypt hash such as mkpasswd or openssl passwd -6 makes", p(key)...)
	}
	v.check(oneLine(string(u.PlainTextPasswd)), "a password is one line", p("plain_text_passwd")...)
	v.check(u.UID == nil || *u.UID < 1<<31-2, "too large", p("uid")...)
	v.keys(u.SSHAuthorizedKeys, p("ssh_authorized_keys")...)
	_, err := time.Parse(time.DateOnly, u.Expiredate)
	v.check(u.Expiredate == "" || err == nil, "want a date such as 2030-12-31", p("expiredate")...)
	v.check(!u.SSHRedirectUser || len(u.SSHAuthorizedKeys) == 0, "cannot be with ssh_authorized_keys", p("ssh_redirect_user")...)
}
