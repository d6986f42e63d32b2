package bench

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/testudo-os/testudo/pkg/debian"
	"github.com/testudo-os/testudo/pkg/qemu"
)

// debianRecipe changes when the way of building does.
const debianRecipe = "1"

// debianPackages are what a person would install for the same job, beside what
// debootstrap installs by default (priority important). zstd packs the initrd
// as on every Debian; udev and dbus come with systemd there too.
func debianPackages() []string {
	return []string{
		"systemd", "systemd-sysv", "systemd-timesyncd", "dbus", "udev", "rsyslog",
		"openssh-server", "containerd", "ca-certificates",
		"linux-image-cloud-amd64", "initramfs-tools", "zstd",
	}
}

// manifest is what is known of a Debian that was built.
type manifest struct {
	Built    time.Time `json:"built"`
	Packages string    `json:"packages"` // digest of names and versions
	Files    Files     `json:"files"`
	RootZstd int64     `json:"root_zstd"`
}

// debianBuild makes one Debian below dir.
type debianBuild struct {
	tools   qemu.Toolbox
	sources string // deb822 file
	dir     string
	log     func(format string, args ...any)
}

// Debian builds Debian 13 as a baseline, or takes the one that is there. It
// needs root, for chroot.
func Debian(ctx context.Context, tb qemu.Toolbox, archive *debian.Archive, dir string, docker bool, log func(string, ...any)) (Subject, error) {
	s := Subject{Name: DebianName, Title: "Debian 13", Runtime: "containerd", SSH: true}
	packages := debianPackages()
	if docker {
		s.Name, s.Title, s.Runtime = DebianDocker, "Debian 13, Docker", "docker"
		packages = append(packages, "docker.io")
	}
	sources, err := os.ReadFile(archive.Sources())
	if err != nil {
		return s, err
	}
	key := sha256.Sum256([]byte(debianRecipe + strings.Join(packages, " ") + string(sources)))
	place := filepath.Join(dir, s.Name+"-"+hex.EncodeToString(key[:6]))
	var m manifest
	if err := readJSON(filepath.Join(place, "manifest.json"), &m); errors.Is(err, os.ErrNotExist) {
		b := debianBuild{tools: tb, sources: archive.Sources(), dir: place + ".new", log: log}
		m, err = b.build(ctx, packages)
		if err == nil {
			err = os.Rename(b.dir, place)
		}
		if err != nil {
			return s, fmt.Errorf("build %s: %w", s.Title, err)
		}
	} else if err != nil {
		return s, err
	}
	s.Kernel, s.Initrd = filepath.Join(place, "vmlinuz"), filepath.Join(place, "initrd.img")
	s.Root, s.RootZstd, s.Files, s.Sealed = filepath.Join(place, "root.img"), m.RootZstd, &m.Files, m.Packages
	return s, nil
}

func (b *debianBuild) build(ctx context.Context, packages []string) (m manifest, err error) {
	if os.Geteuid() != 0 {
		return m, errors.New("this needs root (chroot): run it with sudo, or bench without Debian")
	}
	if err := os.RemoveAll(b.dir); err != nil {
		return m, err
	}
	root := filepath.Join(b.dir, "root")
	if err := os.MkdirAll(b.dir, 0o755); err != nil {
		return m, err
	}
	b.log("bench: installing Debian 13 (%s)", strings.Join(packages, " "))
	if err := runTool(b.tools.Command(ctx, "mmdebstrap", "--variant=important", "--mode=root", "--format=directory",
		"--include="+strings.Join(packages, ","), "trixie", root, b.sources)); err != nil {
		return m, err
	}
	if err := b.configure(ctx, root); err != nil {
		return m, err
	}
	if err := b.moveBoot(root); err != nil {
		return m, err
	}
	m.Built = time.Now().UTC().Truncate(time.Second)
	if m.Packages, err = installed(ctx, root); err != nil {
		return m, err
	}
	if err := m.Files.addTree(root); err != nil {
		return m, err
	}
	b.log("bench: packing Debian's %d MiB", m.Files.Bytes/mib)
	if m.RootZstd, err = b.packedSize(ctx, root); err != nil {
		return m, err
	}
	const block = 128 * mib // what an NVDIMM may be a multiple of
	size := (m.Files.Bytes*13/10 + 256*mib) / block * block
	if err := runTool(b.tools.Command(ctx, "mke2fs", "-q", "-F", "-t", "ext4", "-L", "root", "-d", root,
		filepath.Join(b.dir, "root.img"), fmt.Sprintf("%dM", size/mib))); err != nil {
		return m, err
	}
	if err := os.RemoveAll(root); err != nil {
		return m, err
	}
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return m, err
	}
	return m, os.WriteFile(filepath.Join(b.dir, "manifest.json"), text, 0o644)
}

// configure does what an installer does: a name, a network, a machine id.
func (b *debianBuild) configure(ctx context.Context, root string) error {
	files := map[string]string{
		"etc/hostname":                        "debian\n",
		"etc/hosts":                           "127.0.0.1 localhost debian\n",
		"etc/systemd/network/80-dhcp.network": "[Match]\nType=ether\n\n[Network]\nDHCP=yes\n",
		"etc/fstab":                           "# the root file system is named on the kernel's command line\n",
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	// mmdebstrap took the host's, for apt.
	if err := os.RemoveAll(filepath.Join(root, "etc/resolv.conf")); err != nil {
		return err
	}
	// For counted runs the initrd must find a root file system on an NVDIMM.
	if err := appendFile(filepath.Join(root, "etc/initramfs-tools/modules"), "libnvdimm\nnfit\nnd_pmem\n"); err != nil {
		return err
	}
	for _, command := range [][]string{
		{"systemctl", "enable", "systemd-networkd"},
		{"systemd-machine-id-setup"},
		{"update-initramfs", "-u"},
	} {
		cmd := exec.CommandContext(ctx, "chroot", append([]string{root}, command...)...)
		cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "HOME=/root"}
		if err := runTool(cmd); err != nil {
			return err
		}
	}
	return nil
}

// moveBoot takes kernel and initrd out of the root: QEMU loads them.
func (b *debianBuild) moveBoot(root string) error {
	for pattern, name := range map[string]string{"vmlinuz-*": "vmlinuz", "initrd.img-*": "initrd.img"} {
		found, err := filepath.Glob(filepath.Join(root, "boot", pattern))
		if err != nil {
			return err
		}
		if len(found) != 1 {
			return fmt.Errorf("%d files are called boot/%s", len(found), pattern)
		}
		if err := os.Rename(found[0], filepath.Join(b.dir, name)); err != nil {
			return err
		}
	}
	return nil
}

// installed is a digest of the names and versions of all packages.
func installed(ctx context.Context, root string) (string, error) {
	out, err := exec.CommandContext(ctx, "dpkg-query", "--admindir="+filepath.Join(root, "var/lib/dpkg"),
		"-W", "-f", "${Package} ${Version}\n").Output()
	if err != nil {
		return "", fmt.Errorf("list the packages of %s: %w", root, err)
	}
	sum := sha256.Sum256(out)
	return hex.EncodeToString(sum[:]), nil
}

// packedSize is what a tar archive of the root takes with zstd -19.
func (b *debianBuild) packedSize(ctx context.Context, root string) (int64, error) {
	tar := exec.CommandContext(ctx, "tar", "-C", root, "-c", ".")
	out, err := tar.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := tar.Start(); err != nil {
		return 0, err
	}
	zstd := b.tools.Command(ctx, "zstd", "-19", "-T0", "-q", "-c")
	zstd.Stdin = out
	n, err := countOutput(zstd)
	return n, errors.Join(err, tar.Wait())
}

func appendFile(path, text string) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

func lastLines(s string, n int) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
