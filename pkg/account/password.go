package account

import (
	"cmp"
	"crypto/rand"
	"crypto/sha512"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-crypt/x/crypt"

	"github.com/testudo-os/testudo/pkg/config"
)

// noPassword opens nothing and yet does not lock: with "!" sshd would refuse
// keys as well (UsePAM no).
const noPassword = "*"

// password sets a user's hash in shadow. A password counts only where it is
// not locked, which it is unless the configuration says otherwise.
func (p *planner) password(u config.User) {
	hash := noPassword
	if u.LockPasswd != nil && !*u.LockPasswd {
		own := string(cmp.Or(u.HashedPasswd, u.Passwd))
		if u.PlainTextPasswd != "" {
			own = p.hash(u.Name, string(u.PlainTextPasswd))
		}
		if own != "" && own != "!" {
			hash = own
		}
	}
	if hash == noPassword && p.madeUp(u.Name) {
		return // chpasswd says what becomes of it
	}
	p.setHash(u.Name, hash)
}

// madeUp says whether a user has a random password already: it stays for the
// boot.
func (p *planner) madeUp(name string) bool {
	e := p.shadow.find(func(e *ShadowEntry) bool { return e.Name == name })
	return e != nil && strings.HasPrefix(e.Password, "$") &&
		slices.ContainsFunc(p.cfg.Chpasswd.All(), func(c config.Password) bool { return c.Name == name && c.Kind() == "RANDOM" })
}

func (p *planner) setHash(name, hash string) {
	e := p.shadowOf(name)
	e.Password = hash
}

// shadowOf gives a user's line, made if need be.
func (p *planner) shadowOf(name string) *ShadowEntry {
	if e := p.shadow.find(func(e *ShadowEntry) bool { return e.Name == name }); e != nil {
		return e
	}
	return p.shadow.add(ShadowEntry{Name: name, Password: noPassword, Rest: ":0:99999:7:::"})
}

// hash gives a password's, or what opens nothing.
func (p *planner) hash(name, password string) string {
	hash, err := p.secrets.Hash(password)
	if err != nil {
		p.problem("password of %s: %w", name, err)
		return noPassword
	}
	return hash
}

// ends sets when an account ends (shadow(5), fields 7 and 8).
func (p *planner) ends(u config.User) {
	if u.Inactive == "" && u.Expiredate == "" {
		return
	}
	e := p.shadowOf(u.Name)
	fields := strings.Split(e.Rest, ":")
	if len(fields) != 7 {
		return
	}
	if u.Inactive != "" {
		fields[4] = string(u.Inactive)
	}
	if day, err := time.Parse(time.DateOnly, u.Expiredate); err == nil {
		fields[5] = strconv.FormatInt(day.Unix()/(24*60*60), 10)
	}
	e.Rest = strings.Join(fields, ":")
}

// chpasswd sets the passwords that stand outside of `users`. They count also
// where lock_passwd says otherwise, as with cloud-init.
func (p *planner) chpasswd() {
	var all []config.Password
	if p.cfg.Password != "" && p.standard != "" {
		kind := "text"
		if config.IsHash(p.cfg.Password) {
			kind = "hash"
		}
		all = append(all, config.Password{Name: p.standard, Password: p.cfg.Password, Type: kind})
	}
	for _, c := range append(all, p.cfg.Chpasswd.All()...) {
		if p.passwd.find(func(e *Entry) bool { return e.Name == c.Name }) == nil {
			p.problem("chpasswd: there is no user %s", c.Name)
			continue
		}
		switch c.Kind() {
		case "hash":
			p.setHash(c.Name, string(c.Password))
		case "text":
			p.setHash(c.Name, p.hash(c.Name, string(c.Password)))
		case "RANDOM":
			p.randomPassword(c.Name)
		}
	}
}

func (p *planner) randomPassword(name string) {
	if p.madeUp(name) {
		return
	}
	password, err := p.secrets.Password()
	if err != nil {
		p.problem("password of %s: %w", name, err)
		return
	}
	p.out.Random[name] = password
	p.setHash(name, p.hash(name, password))
}

// groups makes groups and puts members into them.
func (p *planner) groups(groups config.Groups) {
	for _, g := range groups {
		if _, err := p.groupNamed(g.Name, -1); err != nil {
			p.problem("groups: %w", err)
			continue
		}
		for _, member := range g.Members {
			if p.passwd.find(func(e *Entry) bool { return e.Name == member }) == nil {
				p.problem("group %s: there is no user %s", g.Name, member)
				continue
			}
			if err := p.join(member, g.Name); err != nil {
				p.problem("group %s: %w", g.Name, err)
			}
		}
	}
}

// random is Secrets by the kernel's random numbers.
type random struct{}

// rounds is what crypt(5) takes when a hash does not say.
const rounds = 5000

// Hash is crypt(5)'s sha512crypt.
func (random) Hash(password string) (string, error) {
	salt, err := text(16)
	if err != nil {
		return "", err
	}
	return sha512crypt(password, salt), nil
}

func sha512crypt(password, salt string) string {
	return fmt.Sprintf("$6$%s$%s", salt, crypt.KeySHACrypt(sha512.New, []byte(password), []byte(salt), rounds))
}

// Password is 20 letters, as cloud-init's are.
func (random) Password() (string, error) { return text(20) }

// letters are those of crypt(5)'s salts; 64 of them, so that a byte's lower
// bits choose each alike.
const letters = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

func text(n int) (string, error) {
	b := make([]byte, n)
	if _, err := rand.Read(b); err != nil {
		return "", fmt.Errorf("random numbers: %w", err)
	}
	for i := range b {
		b[i] = letters[b[i]&63]
	}
	return string(b), nil
}
