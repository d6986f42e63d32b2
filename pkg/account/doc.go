// Package account turns the configuration's users into /etc/passwd, group,
// shadow, sudoers.d and authorized keys.
//
// Plan is pure: image files and configuration in, file contents out. Apply
// reads and writes them below a root and makes home directories. Users keep
// their numbers across boots: those given are kept in Numbers on the state
// disk. Keys of the configuration go to KeysDir, owned by root, and never into
// a home: what users put into ~/.ssh/authorized_keys is theirs, and a key that
// leaves the configuration no longer opens anything. sshd must be told so:
//
//	AuthorizedKeysFile .ssh/authorized_keys /etc/ssh/authorized_keys.d/%u
//
// The console imports it. It knows nothing of containers.
package account

import "github.com/testudo-os/testudo/pkg/layout"

// Where things are, below the root.
const (
	Passwd  = "/etc/passwd"
	Group   = "/etc/group"
	Shadow  = "/etc/shadow"
	Sudoers = "/etc/sudoers.d/50-testudo"
	KeysDir = "/etc/ssh/authorized_keys.d" // one file per user
	Skel    = "/etc/skel"
	Numbers = layout.InstanceDir + "/users.json"
)
