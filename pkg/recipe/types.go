package recipe

// Recipe is one image.yaml.
type Recipe struct {
	Name string `yaml:"name"`
	// Base is the recipe whose layers come first; empty: nothing below.
	Base string `yaml:"base"`
	Kind Kind   `yaml:"kind"` // default image

	// Packages of Debian that are taken whole, less what the filters drop.
	// Of what they depend on, only the shared objects that are needed are taken.
	Packages []string `yaml:"packages"`
	// Only narrows named packages to the files that match.
	Only  map[string][]string `yaml:"only"`
	Paths Paths               `yaml:"paths"`
	// SetUID lists the files that keep a set-user-ID or set-group-ID bit.
	SetUID []string `yaml:"setuid"`
	// Concatenate makes one file of many, which are dropped.
	Concatenate []Concatenate `yaml:"concatenate"`
	// Applets links a multi-call program's applets.
	Applets *Applets `yaml:"applets"`

	Programs    []Program         `yaml:"programs"`
	Users       []User            `yaml:"users"`
	Groups      []Group           `yaml:"groups"`
	Directories []Directory       `yaml:"directories"`
	Symlinks    map[string]string `yaml:"symlinks"` // path: target
	// Modes of files and directories, where they are not what they come with.
	Modes map[string]Mode `yaml:"modes"`
	// Hot lists the files that every boot reads on the way to a login: they are
	// compressed so that reading is cheap, all others so that they are small.
	// Patterns as in Paths.
	Hot []string `yaml:"hot"`
	// Expand lists files of rootfs/ in which @VERSION@ and @BUILD_ID@ are replaced.
	Expand []string `yaml:"expand"`
	Config Config   `yaml:"config"`

	Dir string `yaml:"-"` // the folder of image.yaml
}

// Kind says what a recipe is for.
type Kind string

const (
	Image Kind = "image" // a service can name it
	Layer Kind = "layer" // only a base of others
	Tree  Kind = "tree"  // a file tree that mkos uses otherwise: the root of the system image
)

// Paths filters the files of packages. ** matches across folders; a pattern
// that matches a folder matches all below it. One that matches nothing is an
// error, so that a recipe follows when a package moves its files.
type Paths struct {
	Include []string `yaml:"include"` // kept although the builder's own list drops them
	Exclude []string `yaml:"exclude"`
}

// Concatenate joins the files that match From, in order of their names.
type Concatenate struct {
	Path string   `yaml:"path"`
	From []string `yaml:"from"`
}

// Applets are links to a multi-call program that prints its applets' names
// when it is run with --list. No link replaces a file that is there.
type Applets struct {
	Of     string   `yaml:"of"`
	Dir    string   `yaml:"dir"`
	Except []string `yaml:"except"`
}

// Program is a Go program built from source.
type Program struct {
	Package string   `yaml:"package"`
	Module  string   `yaml:"module"` // folder, from image.yaml's, with go.mod and go.sum; empty: this repository
	Path    string   `yaml:"path"`
	Tags    []string `yaml:"tags"`
	LDFlags string   `yaml:"ldflags"` // @VERSION@ and @BUILD_ID@ are replaced
	GCFlags string   `yaml:"gcflags"`
	CGO     bool     `yaml:"cgo"`
	// Static lists Debian -dev packages whose static libraries a cgo program is linked with.
	Static []string          `yaml:"static"`
	Env    map[string]string `yaml:"env"`
}

// User is a line of /etc/passwd with its locked line in /etc/shadow.
type User struct {
	Name   string   `yaml:"name"`
	UID    int      `yaml:"uid"`
	GID    int      `yaml:"gid"`
	Gecos  string   `yaml:"gecos"`
	Home   string   `yaml:"home"`
	Shell  string   `yaml:"shell"`
	Groups []string `yaml:"groups"` // further groups, which must exist
}

// Group is a line of /etc/group.
type Group struct {
	Name string `yaml:"name"`
	GID  int    `yaml:"gid"`
}

// Directory is made, or changed when it is there.
type Directory struct {
	Path string `yaml:"path"`
	Mode Mode   `yaml:"mode"` // default 0755
	UID  int    `yaml:"uid"`
	GID  int    `yaml:"gid"`
}

// Config is the image's configuration as OCI has it.
type Config struct {
	Entrypoint []string          `yaml:"entrypoint"`
	Cmd        []string          `yaml:"cmd"`
	Env        []string          `yaml:"env"`
	User       string            `yaml:"user"`
	WorkDir    string            `yaml:"workdir"`
	StopSignal string            `yaml:"stop_signal"`
	Labels     map[string]string `yaml:"labels"`
}
