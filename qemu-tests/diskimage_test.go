package qemutests

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/testudo-os/testudo/pkg/layout"
)

const (
	mebibyte = 1 << 20
	// Where pkg/diskimage puts the boot partition.
	espStart, espSize = mebibyte, 1 << 30
)

// What a person does with the image: write it to a disk that is larger, and
// start from that.
func TestTheDiskImageBootsByUEFIAndFillsItsDisk(t *testing.T) {
	t.Parallel()
	const size = 8 << 30
	image := copyImage(t, getHost(t), size)
	first := boot(t, setup{image: image})
	ros := first.login("ros")
	ros.waitReady("console", "network", "udev")

	t.Run("the system image is on the boot partition, which nothing can write to", func(t *testing.T) {
		if got := ros.run("sudo cat /proc/1/mounts | grep ' " + layout.ESP + " '"); !strings.HasPrefix(got, "/dev/vda1 /efi vfat ro,nosuid,nodev,noexec") {
			t.Errorf("%s", got)
		}
	})
	t.Run("the state has the rest of the disk", func(t *testing.T) {
		st := ros.status()
		if st.Machine.StateMode != "disk" || st.Machine.StateDevice != "/dev/vda2" {
			t.Errorf("machine: %+v", st.Machine)
		}
		const want = size - espSize - 2*mebibyte
		if got := strings.TrimSpace(ros.run("sudo blockdev --getsize64 /dev/vda2")); got != fmt.Sprint(want) {
			t.Errorf("the partition has %s bytes, not %d", got, want)
		}
		if got := ros.fileSystemSize("/home"); got < want*9/10 {
			t.Errorf("the file system has %d bytes of %d", got, want)
		}
	})
	ros.run("sh -c 'echo kept > ~/kept; ' && sudo sync")
	before := ros.run(identity)
	powerOff(first)

	// A disk that is enlarged later is used as well.
	if err := os.Truncate(image, size+2<<30); err != nil {
		t.Fatal(err)
	}
	second := boot(t, setup{image: image})
	ros = second.login("ros")
	if after := ros.run(identity); after != before {
		t.Errorf("before the reboot:\n%s\nafter it:\n%s", before, after)
	}
	if got := ros.fileSystemSize("/home"); got < size {
		t.Errorf("the file system has %d bytes of the larger disk", got)
	}
	powerOff(second)
	checkImage(t, second.h, image)
}

// fileSystemSize is how many bytes the file system at a path has for files.
func (s *session) fileSystemSize(path string) (n int64) {
	s.m.t.Helper()
	var blocks, size int64
	if _, err := fmt.Sscan(s.run("stat -f -c '%b %S' "+path), &blocks, &size); err != nil {
		s.m.t.Fatal(err)
	}
	return blocks * size
}

// copyImage makes a disk of the given size that holds the disk image.
func copyImage(t *testing.T, h *host, size int64) string {
	t.Helper()
	found, err := filepath.Glob(h.dist("testudo-[0-9]*-amd64.raw"))
	if err != nil || len(found) != 1 {
		t.Fatalf("disk images in dist/: %q, %v", found, err)
	}
	image := filepath.Join(t.TempDir(), "disk.raw")
	if out, err := exec.CommandContext(t.Context(), "cp", "--sparse=always", found[0], image).CombinedOutput(); err != nil {
		t.Fatalf("cp: %v\n%s", err, out)
	}
	if err := os.Truncate(image, size); err != nil {
		t.Fatal(err)
	}
	return image
}

// checkImage fails when a file system of an installed disk is not sound.
func checkImage(t *testing.T, h *host, image string) {
	t.Helper()
	if out, err := h.tool(t, "e2fsck", "-fn", fmt.Sprintf("%s?offset=%d", image, espStart+espSize)); err != nil {
		t.Errorf("the state file system is not sound: %v\n%s", err, out)
	}
	esp := filepath.Join(t.TempDir(), "esp")
	dd := exec.CommandContext(t.Context(), "dd", "if="+image, "of="+esp, "bs=1M", "conv=sparse",
		fmt.Sprintf("skip=%d", espStart/mebibyte), fmt.Sprintf("count=%d", espSize/mebibyte))
	if out, err := dd.CombinedOutput(); err != nil {
		t.Fatalf("dd: %v\n%s", err, out)
	}
	if out, err := h.tool(t, "fsck.vfat", "-n", esp); err != nil {
		t.Errorf("the boot partition is not sound: %v\n%s", err, out)
	}
}
