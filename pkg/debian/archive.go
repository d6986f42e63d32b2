package debian

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"syscall"
)

// Options of an archive. The zero value is Debian 13 for amd64 from the host's
// own mirror.
type Options struct {
	Suite      string   // default "trixie"
	Arch       string   // default "amd64"
	Components []string // default main; non-free-firmware holds microcode and firmware
	Mirror     Mirror   // default HostMirror("/etc/apt", os.Getenv)
	Pins       *Lock    // versions to prefer while the mirror has them; may be nil
	Refresh    bool     // fetch the lists again although they are there
	Log        func(format string, args ...any)
}

// Archive is a Debian release as apt sees it through a configuration of ours.
type Archive struct {
	dir  string // lists, answers and packages of every archive that shares it
	conf string // this archive's own apt configuration, below dir
	opts Options
	args []string // apt options that make it use conf
}

// keyrings are where Debian's archive keys are found on a host.
var keyrings = [...]string{
	"/usr/share/keyrings/debian-archive-keyring.gpg",
	"/usr/share/keyrings/debian-archive-keyring.pgp",
}

// Open prepares the private configuration below dir and fetches the package
// lists when there are none yet (or opts.Refresh asks). Archives of the same
// dir share lists and downloaded packages, and may be open at the same time in
// several processes.
func Open(ctx context.Context, dir string, opts Options) (*Archive, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if opts.Suite == "" {
		opts.Suite = "trixie"
	}
	if opts.Arch == "" {
		opts.Arch = "amd64"
	}
	if len(opts.Components) == 0 {
		opts.Components = []string{"main"}
	}
	if opts.Log == nil {
		opts.Log = func(string, ...any) {}
	}
	if opts.Mirror.Main == "" {
		if opts.Mirror, err = HostMirror("/etc/apt", os.Getenv); err != nil {
			return nil, err
		}
	}
	sources, err := sourcesText(opts)
	if err != nil {
		return nil, err
	}
	// Archives with other mirrors, suites or components have other lists.
	sum := sha256.Sum256([]byte(sources + opts.Arch))
	conf := filepath.Join(dir, "apt-"+opts.Suite+"-"+hex.EncodeToString(sum[:4]))
	a := &Archive{dir: dir, conf: conf, opts: opts}
	for _, d := range []string{"lists/partial", "cache/archives/partial", "pins"} {
		if err := os.MkdirAll(filepath.Join(conf, d), 0o755); err != nil {
			return nil, err
		}
	}
	unlock, err := a.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()

	files := map[string]string{"debian.sources": sources, "status": ""}
	pins := opts.Pins.preferences()
	pinSum := sha256.Sum256([]byte(pins))
	pinFile := "pins/" + hex.EncodeToString(pinSum[:8])
	files[pinFile] = pins
	for name, text := range files {
		if err := writeIfChanged(filepath.Join(conf, name), text); err != nil {
			return nil, err
		}
	}
	for _, o := range [][2]string{
		{"APT::Architecture", opts.Arch},
		{"APT::Architectures", opts.Arch},
		{"APT::Install-Recommends", "false"},
		{"APT::Sandbox::User", ""}, // the cache may lie where user _apt cannot go
		{"Acquire::Languages", "none"},
		{"Acquire::IndexTargets::deb::DEP-11::DefaultEnabled", "false"}, // a software centre's 8 MB
		{"Acquire::Retries", "3"},
		{"Dir::Etc::sourcelist", conf + "/debian.sources"},
		{"Dir::Etc::sourceparts", "/dev/null"},
		{"Dir::Etc::preferences", conf + "/" + pinFile},
		{"Dir::Etc::preferencesparts", "/dev/null"},
		{"Dir::State", conf},
		{"Dir::State::Lists", conf + "/lists"},
		{"Dir::State::status", conf + "/status"},
		{"Dir::State::extended_states", conf + "/extended_states"},
		{"Dir::Cache", conf + "/cache"},
		{"Dir::Log", conf},
	} {
		a.args = append(a.args, "-o", o[0]+"="+o[1])
	}
	if opts.Refresh || len(a.releases()) == 0 {
		if err := a.update(ctx); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// Refresh fetches the package lists again.
func (a *Archive) Refresh(ctx context.Context) error {
	unlock, err := a.lock()
	if err != nil {
		return err
	}
	defer unlock()
	return a.update(ctx)
}

func (a *Archive) update(ctx context.Context) error {
	a.opts.Log("fetching the package lists of Debian %s", a.opts.Suite)
	_, err := a.run(ctx, "", "apt-get", "-q", "--error-on=any", "update")
	if err != nil && len(a.releases()) > 0 {
		a.opts.Log("the lists could not be fetched again, using the old ones: %v", err)
		return nil
	}
	return err
}

// releases are the signed release files of the lists, sorted.
func (a *Archive) releases() []string {
	found, _ := filepath.Glob(filepath.Join(a.conf, "lists", "*_InRelease")) // fails on bad patterns only
	sort.Strings(found)
	return found
}

// run runs an apt program with our configuration.
func (a *Archive) run(ctx context.Context, dir, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, append(append([]string{}, a.args...), args...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, lastLines(stderr.String(), 8))
	}
	return out, nil
}

func lastLines(s string, n int) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	if len(lines) > n {
		lines = lines[len(lines)-n:]
	}
	return strings.Join(lines, "; ")
}

// lock keeps other processes away from the directory: apt's own locks fail
// where we would rather wait.
func (a *Archive) lock() (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(a.dir, ".lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", f.Name(), err)
	}
	return func() { f.Close() }, nil
}

func sourcesText(o Options) (string, error) {
	key := ""
	for _, k := range keyrings {
		if _, err := os.Stat(k); err == nil {
			key = k
			break
		}
	}
	if key == "" {
		return "", errors.New("the Debian archive keys are missing: apt-get install debian-archive-keyring")
	}
	var b strings.Builder
	add := func(uri, suites string) {
		fmt.Fprintf(&b, "Types: deb\nURIs: %s\nSuites: %s\nComponents: %s\nArchitectures: %s\nSigned-By: %s\n\n",
			uri, suites, strings.Join(o.Components, " "), o.Arch, key)
	}
	add(o.Mirror.Main, o.Suite+" "+o.Suite+"-updates")
	if o.Mirror.Security != "" {
		add(o.Mirror.Security, o.Suite+"-security")
	}
	return b.String(), nil
}

func writeIfChanged(path, text string) error {
	if old, err := os.ReadFile(path); err == nil && string(old) == text {
		return nil
	}
	return os.WriteFile(path, []byte(text), 0o644)
}
