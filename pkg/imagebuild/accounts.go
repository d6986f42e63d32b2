package imagebuild

import (
	"fmt"
	"slices"
	"strings"

	"github.com/testudo-os/testudo/pkg/filetree"
	"github.com/testudo-os/testudo/pkg/recipe"
)

// shadowGID is Debian's group shadow, which may read /etc/shadow.
const shadowGID = 42

// addAccounts appends the recipe's users and groups to the account files. A
// user that the base has is replaced, for another shell, as long as its number
// stays.
func addAccounts(t *filetree.Tree, r *recipe.Recipe) error {
	if len(r.Users)+len(r.Groups) == 0 {
		return nil
	}
	passwd, err := lines(t, "/etc/passwd")
	if err != nil {
		return err
	}
	shadow, err := lines(t, "/etc/shadow")
	if err != nil {
		return err
	}
	group, err := lines(t, "/etc/group")
	if err != nil {
		return err
	}
	for _, g := range r.Groups {
		if named(group, g.Name) >= 0 {
			return fmt.Errorf("groups: %s is there already", g.Name)
		}
		group = append(group, fmt.Sprintf("%s:x:%d:", g.Name, g.GID))
	}
	bases := len(passwd)
	for _, u := range r.Users {
		home, shell := u.Home, u.Shell
		if home == "" {
			home = "/nonexistent"
		}
		if shell == "" {
			shell = "/usr/sbin/nologin"
		}
		line := fmt.Sprintf("%s:x:%d:%d:%s:%s:%s", u.Name, u.UID, u.GID, u.Gecos, home, shell)
		switch i := named(passwd, u.Name); {
		case i < 0:
			passwd = append(passwd, line)
			// A star is no password; sshd takes "!" for a locked account and
			// refuses keys too. The empty day of last change never expires.
			shadow = append(shadow, u.Name+":*:::::::")
		case i < bases && strings.HasPrefix(passwd[i], fmt.Sprintf("%s:x:%d:", u.Name, u.UID)):
			passwd[i] = line
		default:
			return fmt.Errorf("users: %s is there already", u.Name)
		}
		for _, name := range u.Groups {
			i := named(group, name)
			if i < 0 {
				return fmt.Errorf("users: %s: there is no group %s", u.Name, name)
			}
			if !strings.HasSuffix(group[i], ":") {
				group[i] += ","
			}
			group[i] += u.Name
		}
	}
	for _, f := range []struct {
		path  string
		lines []string
		mode  uint32
		gid   int
	}{
		{"/etc/passwd", passwd, 0o644, 0}, {"/etc/group", group, 0o644, 0}, {"/etc/shadow", shadow, 0o640, shadowGID},
	} {
		n := filetree.NewFile([]byte(strings.Join(f.lines, "\n")+"\n"), f.mode)
		n.GID = f.gid
		if err := t.Add(f.path, n); err != nil {
			return err
		}
	}
	return nil
}

func lines(t *filetree.Tree, p string) ([]string, error) {
	n := t.Get(p)
	if n == nil {
		return nil, nil
	}
	data, err := n.Read()
	if err != nil {
		return nil, err
	}
	text := strings.TrimSuffix(string(data), "\n")
	if text == "" {
		return nil, nil
	}
	return strings.Split(text, "\n"), nil
}

func named(lines []string, name string) int {
	return slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, name+":") })
}
