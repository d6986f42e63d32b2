package account

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/testudo-os/testudo/pkg/config"
)

// Files are the image's tables.
type Files struct{ Passwd, Group, Shadow string }

// Allocated are the numbers given to users and groups of the configuration,
// by name. They are never given to anyone else.
type Allocated struct {
	Users  map[string]int `json:"users,omitempty"`
	Groups map[string]int `json:"groups,omitempty"`
}

// Home is a home directory that has to be there.
type Home struct {
	Path     string
	UID, GID int
}

// Result is what the machine's accounts should be.
type Result struct {
	Files
	Sudoers   string            // "" when nobody has rules
	Keys      map[string]string // content of KeysDir/NAME
	Homes     []Home
	Allocated Allocated
	Random    map[string]string // passwords that were made up, by user; to be shown once
	// Problems name what was left out, and why. The rest of the result holds.
	Problems []error
}

// New numbers come from here. Below are those of images and of system users;
// above, nobody's.
const (
	firstID       = 1000
	lastID        = 59999
	firstSystemID = 500
	usersGroup    = "users" // of those without a group of their own
)

// Secrets makes what nobody can foresee: hashes of passwords, and passwords.
type Secrets interface {
	Hash(password string) (string, error)
	Password() (string, error)
}

// Plan works out the accounts. It never fails as a whole: a user that cannot
// be is left out and named in Problems, so that the others can log in.
func Plan(cfg *config.Config, image Files, kept Allocated, secrets Secrets) *Result {
	p := &planner{cfg: cfg, secrets: secrets, out: &Result{
		Keys: map[string]string{}, Random: map[string]string{}, Allocated: Allocated{Users: map[string]int{}, Groups: map[string]int{}},
	}}
	p.load(image, kept)
	users := wanted(cfg)
	for _, u := range users {
		if u.Default {
			p.standard = u.Name
		}
	}
	for _, u := range users {
		p.names = append(p.names, u.Name)
	}
	p.forget()
	// Numbers that are asked for come first, so that nobody else is given one.
	slices.SortStableFunc(users, func(a, b config.User) int { return cmp.Compare(asks(b), asks(a)) })
	for _, u := range users {
		p.user(u)
	}
	p.groups(cfg.Groups)
	p.chpasswd()
	p.root(cfg)
	p.finish()
	return p.out
}

func asks(u config.User) int {
	if u.UID != nil {
		return 1
	}
	return 0
}

// wanted spells out the default user and gives it the keys of the top level.
func wanted(cfg *config.Config) []config.User {
	var users []config.User
	for _, u := range cfg.Users {
		if u.Default {
			u = standardUser(cfg)
		}
		users = append(users, u)
	}
	// The default user may also be listed by its name, to change it.
	for i := 0; i < len(users); i++ {
		for j := i + 1; j < len(users); j++ {
			if users[i].Name == users[j].Name {
				first := config.Config{Users: users[i : i+1]}
				second := config.Config{Users: users[j : j+1]}
				standard := users[i].Default || users[j].Default
				first.Users[0].Default, second.Users[0].Default = false, false
				users[i] = config.Merge(&first, &second).Users[0]
				users[i].Default = standard
				users = slices.Delete(users, j, j+1)
				j--
			}
		}
	}
	return users
}

// standardUser is the default user as `user` changes it, with the keys of the
// top level.
func standardUser(cfg *config.Config) config.User {
	u := config.DefaultUser()
	if cfg.User != nil {
		change := config.User(*cfg.User)
		name := cmp.Or(change.Name, u.Name)
		if name != u.Name {
			u.UID = nil // stays with the name that the image has
		}
		change.Name = u.Name
		u = config.Merge(&config.Config{Users: []config.User{u}}, &config.Config{Users: []config.User{change}}).Users[0]
		u.Name = name
	}
	u.SSHAuthorizedKeys = append(slices.Clone(cfg.SSHAuthorizedKeys), u.SSHAuthorizedKeys...)
	u.Default = true
	return u
}

type planner struct {
	cfg      *config.Config
	secrets  Secrets
	standard string // name of the default user, "" without one
	passwd   table[Entry]
	group    table[GroupEntry]
	shadow   table[ShadowEntry]
	kept     Allocated
	names    []string // of all users wanted
	sudoers  []string
	out      *Result
}

func (p *planner) problem(format string, args ...any) {
	p.out.Problems = append(p.out.Problems, fmt.Errorf(format, args...))
}

func (p *planner) load(image Files, kept Allocated) {
	var problems []error
	note := func(file string) {
		for _, err := range problems {
			p.problem("%s: %w", file, err)
		}
	}
	p.passwd, problems = parsePasswd(image.Passwd)
	note(Passwd)
	p.group, problems = parseGroup(image.Group)
	note(Group)
	p.shadow, problems = parseShadow(image.Shadow)
	note(Shadow)
	p.kept = kept
	for name, id := range kept.Users {
		p.out.Allocated.Users[name] = id
	}
	for name, id := range kept.Groups {
		p.out.Allocated.Groups[name] = id
	}
}

// forget takes out what an earlier plan of this boot put into the tables: users
// that are no longer wanted, groups that those who are may have left, and
// passwords.
func (p *planner) forget() {
	for _, l := range p.shadow.lines {
		if l.entry != nil && strings.HasPrefix(l.entry.Password, "$") && !p.madeUp(l.entry.Name) {
			l.entry.Password = noPassword
		}
	}
	for name := range p.kept.Users {
		if !slices.Contains(p.names, name) {
			p.passwd.remove(func(e *Entry) bool { return e.Name == name })
			p.shadow.remove(func(e *ShadowEntry) bool { return e.Name == name })
		}
		for _, l := range p.group.lines {
			if l.entry != nil {
				l.entry.Members = slices.DeleteFunc(l.entry.Members, func(m string) bool { return m == name })
			}
		}
	}
}

func (p *planner) user(u config.User) {
	if !config.ValidUserName(u.Name) { // checked by config too; here it guards the tables
		p.problem("user %q: not a user name", u.Name)
		return
	}
	have := p.passwd.find(func(e *Entry) bool { return e.Name == u.Name })
	if have != nil && have.UID != 0 && have.UID < firstID {
		p.problem("user %s: is an account of the system", u.Name)
		return
	}
	uid, err := p.uid(u, have)
	if err != nil {
		p.problem("user %s: %w", u.Name, err)
		return
	}
	if have == nil {
		gid, err := p.primaryGroup(u, uid)
		if err != nil {
			p.problem("user %s: %w", u.Name, err)
			return
		}
		have = p.passwd.add(Entry{Name: u.Name, Password: "x", UID: uid, GID: gid, Home: path.Join("/home", u.Name), Shell: "/bin/bash"})
	}
	replace(&have.Gecos, u.Gecos)
	replace(&have.Home, u.Homedir)
	replace(&have.Shell, u.Shell)
	p.password(u)
	p.ends(u)
	for _, name := range u.Groups {
		if err := p.join(u.Name, name); err != nil {
			p.problem("user %s: %w", u.Name, err)
		}
	}
	for _, rule := range u.Sudo {
		p.sudoers = append(p.sudoers, u.Name+" "+rule)
	}
	switch {
	case u.SSHRedirectUser:
		p.out.Keys[u.Name] = p.redirected(u.Name, p.cfg.SSHAuthorizedKeys)
	case len(u.SSHAuthorizedKeys) > 0:
		p.out.Keys[u.Name] = strings.Join(u.SSHAuthorizedKeys, "\n") + "\n"
	}
	if !u.NoCreateHome && !u.System && have.UID != 0 {
		p.out.Homes = append(p.out.Homes, Home{have.Home, have.UID, have.GID})
	}
}

// redirected are keys that open nothing: who uses one is told the name that
// works, in cloud-init's words and with its options.
func (p *planner) redirected(name string, keys []string) string {
	options := cmp.Or(p.cfg.DisableRootOpts, "no-port-forwarding,no-agent-forwarding,no-X11-forwarding,"+
		`command="echo 'Please login as the user \"$USER\" rather than the user \"$DISABLE_USER\".';echo;sleep 10;exit 142"`)
	options = strings.NewReplacer("$DISABLE_USER", name, "$USER", cmp.Or(p.standard, "NONE")).Replace(options)
	var b strings.Builder
	for _, key := range keys {
		b.WriteString(options + " " + withoutOptions(key) + "\n")
	}
	return b.String()
}

// withoutOptions is a key from its type on.
func withoutOptions(key string) string {
	words := strings.Fields(key)
	for i, w := range words {
		if strings.HasPrefix(w, "AAAA") && i > 0 {
			return strings.Join(words[i-1:], " ")
		}
	}
	return key
}

// root takes the keys of the top level as the default user does, or is closed
// to them.
func (p *planner) root(cfg *config.Config) {
	if len(cfg.SSHAuthorizedKeys) == 0 {
		return
	}
	if cfg.DisableRoot != nil && *cfg.DisableRoot {
		p.out.Keys["root"] = p.redirected("root", append(slices.Clone(cfg.SSHAuthorizedKeys),
			strings.FieldsFunc(p.out.Keys["root"], func(r rune) bool { return r == '\n' })...))
		return
	}
	own := strings.FieldsFunc(p.out.Keys["root"], func(r rune) bool { return r == '\n' })
	for _, k := range cfg.SSHAuthorizedKeys {
		if !slices.Contains(own, k) {
			own = append(own, k)
		}
	}
	p.out.Keys["root"] = strings.Join(own, "\n") + "\n"
}

// uid gives the user's number: the image's, the one asked for, the one it had
// at earlier boots, or a new one.
func (p *planner) uid(u config.User, have *Entry) (int, error) {
	owner := func(id int) string {
		if e := p.passwd.find(func(e *Entry) bool { return e.UID == id }); e != nil {
			return e.Name
		}
		for name, kept := range p.kept.Users {
			if kept == id {
				return name
			}
		}
		return ""
	}
	switch kept, known := p.kept.Users[u.Name]; {
	case have != nil && (u.UID == nil || int(*u.UID) == have.UID):
		return have.UID, nil
	case have != nil:
		return 0, fmt.Errorf("has the number %d, which cannot become %d", have.UID, *u.UID)
	case u.UID != nil:
		id := int(*u.UID)
		if id == 0 {
			return 0, fmt.Errorf("the number 0 is root's")
		}
		switch other := owner(id); {
		case other == "" || other == u.Name:
		case slices.Contains(p.names, other) || p.passwd.find(func(e *Entry) bool { return e.UID == id }) != nil:
			return 0, fmt.Errorf("the number %d is that of %s", id, other)
		default: // of someone who is no longer there
			delete(p.out.Allocated.Users, other)
		}
		p.out.Allocated.Users[u.Name] = id
		return id, nil
	case known && p.passwd.find(func(e *Entry) bool { return e.UID == kept }) == nil:
		return kept, nil
	}
	taken := func(id int) bool {
		return owner(id) != "" || allocated(p.out.Allocated.Users, id) || p.groupTaken(id)
	}
	if u.System {
		for id := firstID - 1; id >= firstSystemID; id-- {
			if !taken(id) {
				p.out.Allocated.Users[u.Name] = id
				return id, nil
			}
		}
	}
	for id := firstID; id <= lastID; id++ {
		if id != int(*config.DefaultUser().UID) && !taken(id) {
			p.out.Allocated.Users[u.Name] = id
			return id, nil
		}
	}
	return 0, fmt.Errorf("no number is free")
}

func allocated(ids map[string]int, id int) bool {
	for _, have := range ids {
		if have == id {
			return true
		}
	}
	return false
}

func (p *planner) groupTaken(id int) bool {
	return allocated(p.out.Allocated.Groups, id) || p.group.find(func(g *GroupEntry) bool { return g.GID == id }) != nil
}

// primaryGroup gives the number of the user's own group, made if need be.
func (p *planner) primaryGroup(u config.User, uid int) (int, error) {
	name := u.Name
	if u.NoUserGroup {
		name = usersGroup
	}
	name = cmp.Or(u.PrimaryGroup, name)
	prefer := -1
	if name == u.Name {
		prefer = uid // as people expect it
	}
	g, err := p.groupNamed(name, prefer)
	if err != nil {
		return 0, err
	}
	return g.GID, nil
}

// groupNamed gives a group, made if need be: cloud-init makes them too.
func (p *planner) groupNamed(name string, prefer int) (*GroupEntry, error) {
	if !config.ValidUserName(name) {
		return nil, fmt.Errorf("group %q: not a group name", name)
	}
	if g := p.group.find(func(g *GroupEntry) bool { return g.Name == name }); g != nil {
		return g, nil
	}
	used := func(id int) bool { return p.group.find(func(g *GroupEntry) bool { return g.GID == id }) != nil }
	if id, known := p.out.Allocated.Groups[name]; known && !used(id) {
		return p.group.add(GroupEntry{Name: name, Password: "x", GID: id}), nil
	}
	if prefer < 0 || p.groupTaken(prefer) {
		prefer = firstID + 1
		for p.groupTaken(prefer) || allocated(p.out.Allocated.Users, prefer) ||
			p.passwd.find(func(e *Entry) bool { return e.UID == prefer }) != nil {
			if prefer++; prefer > lastID {
				return nil, fmt.Errorf("group %s: no number is free", name)
			}
		}
	}
	p.out.Allocated.Groups[name] = prefer
	return p.group.add(GroupEntry{Name: name, Password: "x", GID: prefer}), nil
}

func (p *planner) join(user, group string) error {
	g, err := p.groupNamed(group, -1)
	if err != nil {
		return err
	}
	if !slices.Contains(g.Members, user) {
		g.Members = append(g.Members, user)
	}
	return nil
}

func (p *planner) finish() {
	// Every account needs a line in shadow; and root must not be locked.
	for _, l := range p.passwd.lines {
		if l.entry == nil {
			continue
		}
		e := p.shadow.find(func(e *ShadowEntry) bool { return e.Name == l.entry.Name })
		if e == nil {
			p.shadow.add(ShadowEntry{Name: l.entry.Name, Password: "*", Rest: ":0:99999:7:::"})
		} else if e.Name == "root" && (e.Password == "" || strings.HasPrefix(e.Password, "!")) {
			e.Password = "*"
		}
	}
	p.out.Passwd = p.passwd.render((*Entry).String)
	p.out.Group = p.group.render((*GroupEntry).String)
	p.out.Shadow = p.shadow.render((*ShadowEntry).String)
	if len(p.sudoers) > 0 {
		p.out.Sudoers = "# Made from `users` of the configuration.\n" + strings.Join(p.sudoers, "\n") + "\n"
	}
}

func replace(out *string, s string) {
	if s != "" {
		*out = s
	}
}
