// Package filetree holds a tree of files in memory as it is put together for an
// image, and writes it as a tar archive whose bytes depend on the tree alone.
// Ownership needs no privileges that way. It is for the builder only.
package filetree

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path"
	"sort"
	"strings"
)

// Type is what a node is.
type Type byte

const (
	Dir Type = iota
	File
	Symlink
)

// Node is one file, directory or symbolic link.
type Node struct {
	Type     Type
	Mode     uint32 // permission bits with set-user-ID, set-group-ID and sticky, as in stat(2)
	UID, GID int
	Target   string // of a symbolic link
	Data     []byte // content, unless Source is set
	Source   string // file on the host that holds the content (for large ones)
	Size     int64
	sum      [sha256.Size]byte

	implied bool // a parent that was made because something lies in it
}

// NewFile is a regular file with the given content.
func NewFile(data []byte, mode uint32) *Node {
	return &Node{Type: File, Mode: mode, Data: data, Size: int64(len(data)), sum: sha256.Sum256(data)}
}

// NewLink is a symbolic link.
func NewLink(target string) *Node { return &Node{Type: Symlink, Mode: 0o777, Target: target} }

// NewDir is a directory.
func NewDir(mode uint32) *Node { return &Node{Type: Dir, Mode: mode} }

// FileFrom is a regular file whose content stays on the host until it is written.
func FileFrom(source string, mode uint32) (*Node, error) {
	f, err := os.Open(source)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	n := &Node{Type: File, Mode: mode, Source: source}
	h := sha256.New()
	if n.Size, err = io.Copy(h, f); err != nil {
		return nil, fmt.Errorf("read %s: %w", source, err)
	}
	h.Sum(n.sum[:0])
	return n, nil
}

// Open gives the content of a regular file.
func (n *Node) Open() (io.ReadCloser, error) {
	if n.Source != "" {
		return os.Open(n.Source)
	}
	return io.NopCloser(bytes.NewReader(n.Data)), nil
}

// Read gives the whole content of a regular file.
func (n *Node) Read() ([]byte, error) {
	if n.Source != "" {
		return os.ReadFile(n.Source)
	}
	return n.Data, nil
}

// Digest is the SHA-256 of a regular file's content, in hex.
func (n *Node) Digest() string { return hex.EncodeToString(n.sum[:]) }

// Same says whether two nodes would be the same file to a reader.
func (n *Node) Same(o *Node) bool {
	return o != nil && n.Type == o.Type && n.UID == o.UID && n.GID == o.GID && n.Target == o.Target &&
		n.sum == o.sum && n.Size == o.Size && (n.Type == Symlink || n.Mode == o.Mode)
}

// Tree maps clean absolute paths to nodes. The root itself is "/".
type Tree struct {
	nodes map[string]*Node
}

// New is a tree with a root directory.
func New() *Tree {
	return &Tree{nodes: map[string]*Node{"/": {Type: Dir, Mode: 0o755, implied: true}}}
}

// Merged rewrites a path into the merged /usr: /bin, /sbin, /lib and /lib64 are
// links to folders of /usr in every image.
func Merged(p string) string {
	p = path.Clean("/" + p)
	for _, d := range [...]string{"/bin", "/sbin", "/lib", "/lib64"} {
		if strings.HasPrefix(p, d+"/") {
			return "/usr" + p
		}
	}
	return p
}

// Add puts a node at a path, in place of what is there. Missing parents are
// made. A directory that is there keeps what is in it.
func (t *Tree) Add(p string, n *Node) error {
	p = Merged(p)
	if old := t.nodes[p]; old != nil && old.Type == Dir && n.Type != Dir && !t.empty(p) {
		return fmt.Errorf("%s is a directory with files and cannot become something else", p)
	}
	for dir := path.Dir(p); dir != p; dir = path.Dir(dir) {
		parent := t.nodes[dir]
		if parent == nil {
			t.nodes[dir] = &Node{Type: Dir, Mode: 0o755, implied: true}
			continue
		}
		if parent.Type != Dir {
			return fmt.Errorf("%s: %s is not a directory", p, dir)
		}
		if dir == "/" {
			break
		}
	}
	t.nodes[p] = n
	return nil
}

// AddDir is Add for a directory of a package: what is known of a directory
// already (from a recipe, or from a layer below) stays.
func (t *Tree) AddDir(p string, n *Node) error {
	if old := t.Get(p); old != nil && old.Type == Dir && !old.implied {
		return nil
	}
	return t.Add(p, n)
}

// Get is the node at a path, or nil.
func (t *Tree) Get(p string) *Node { return t.nodes[Merged(p)] }

// Remove takes a path and all below it out.
func (t *Tree) Remove(p string) {
	p = Merged(p)
	for q := range t.nodes {
		if q == p || strings.HasPrefix(q, p+"/") {
			delete(t.nodes, q)
		}
	}
}

// Paths lists all paths, sorted, so that a directory comes before its files.
func (t *Tree) Paths() []string {
	all := make([]string, 0, len(t.nodes))
	for p := range t.nodes {
		all = append(all, p)
	}
	sort.Strings(all)
	return all
}

// Clone is a tree that shares the nodes.
func (t *Tree) Clone() *Tree {
	c := &Tree{nodes: make(map[string]*Node, len(t.nodes))}
	for p, n := range t.nodes {
		c.nodes[p] = n
	}
	return c
}

// Above lists what an overlay layer on top of lower must hold to show t: the
// changed paths and their parent directories. What lower has and t lacks
// cannot be said without whiteouts and is an error.
func (t *Tree) Above(lower *Tree) (*Tree, error) {
	for p := range lower.nodes {
		if t.nodes[p] == nil {
			return nil, fmt.Errorf("%s is in the base and cannot be left out", p)
		}
	}
	up := &Tree{nodes: map[string]*Node{}}
	for p, n := range t.nodes {
		if n.Same(lower.nodes[p]) {
			continue
		}
		for q := p; ; q = path.Dir(q) {
			up.nodes[q] = t.nodes[q]
			if q == "/" {
				break
			}
		}
	}
	if len(up.nodes) == 0 {
		up.nodes["/"] = t.nodes["/"]
	}
	return up, nil
}

// Lookup follows symbolic links, of parents too, and returns the node that a
// path leads to, with its real path; nil when it leads nowhere.
func (t *Tree) Lookup(p string) (string, *Node) {
	p = path.Clean("/" + p)
	for hops := 0; hops < 40; {
		followed := false
		parts := strings.Split(strings.Trim(p, "/"), "/")
		at := "/"
		for i, part := range parts {
			at = path.Join(at, part)
			n := t.nodes[at]
			if n == nil || n.Type != Symlink {
				continue
			}
			to := n.Target
			if !path.IsAbs(to) {
				to = path.Join(path.Dir(at), to)
			}
			p = path.Join(append([]string{to}, parts[i+1:]...)...)
			hops++
			followed = true
			break
		}
		if !followed {
			return p, t.nodes[p]
		}
	}
	return p, nil
}

func (t *Tree) empty(p string) bool {
	for q := range t.nodes {
		if strings.HasPrefix(q, p+"/") {
			return false
		}
	}
	return true
}
