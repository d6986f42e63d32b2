package runtime

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/testudo-os/testudo/pkg/ocispec"
)

func TestWhatRuncSaysIsToldToPeople(t *testing.T) {
	for _, c := range []struct {
		name, runc, want string
		permanent        bool
	}{
		{
			"a command that is not in PATH",
			`failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: exec: "nonsense": executable file not found in $PATH`,
			"command nonsense not found in the image (PATH was searched)", true,
		},
		{
			"a command by path that is not there",
			`failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: exec: "/bin/nonsense": stat /bin/nonsense: no such file or directory`,
			"command /bin/nonsense not found in the image", true,
		},
		{
			"a command that may not be executed",
			`OCI runtime create failed: runc create failed: unable to start container process: error during container init: exec: "/etc/passwd": permission denied`,
			"command /etc/passwd in the image is not executable", true,
		},
		{
			"a program for another machine",
			`OCI runtime start failed: runc start failed: exec /bin/web: exec format error`,
			"command /bin/web is not a program for this machine", true,
		},
		{
			"a file mounted on a folder",
			`failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: error mounting "/etc/hosts" to rootfs at "/etc": create mountpoint for /etc mount: cannot create subdirectories in "/x/etc": not a directory`,
			"volume /etc: its source /etc/hosts and its target are not both files or both folders", true,
		},
		{
			"something new is told without the prefixes",
			`failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: the moon is in the wrong phase`,
			"the moon is in the wrong phase", false,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := explain(errors.New(c.runc))
			if got.Error() != c.want {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
			if errors.Is(got, ErrPermanent) != c.permanent {
				t.Errorf("permanent %v, want %v", !c.permanent, c.permanent)
			}
		})
	}
}

func TestTheReasonLeavesOutTheClass(t *testing.T) {
	err := errors.Join(errImageMissing, nil)
	wrapped := &startError{message: "x", class: ErrPermanent, cause: err}
	if !errors.Is(wrapped, ErrPermanent) || !errors.Is(wrapped, errImageMissing) || Reason(wrapped) != "x" {
		t.Errorf("%v", wrapped)
	}
}

func TestSignals(t *testing.T) {
	for name, want := range map[string]int{"": 15, "SIGTERM": 15, "quit": 3, "9": 9, "SIGRTMIN+3": 37, "RTMIN": 34, "SIGRTMAX-1": 63} {
		if got, err := parseSignal(name); err != nil || int(got) != want {
			t.Errorf("%q gave %d (%v), want %d", name, got, err, want)
		}
	}
	for _, name := range []string{"SIGNOTHING", "0", "65", "-1", "RTMIN+40", "RTMIN+x", "RTMAX+1"} {
		if got, err := parseSignal(name); err == nil {
			t.Errorf("%q gave %d", name, got)
		}
	}
}

func FuzzSignal(f *testing.F) {
	f.Add("SIGRTMIN+3")
	f.Fuzz(func(t *testing.T, name string) {
		if got, err := parseSignal(name); err == nil && (got < 1 || got > sigRTMax) {
			t.Errorf("%q gave %d", name, got)
		}
	})
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestUsersAreFoundInTheImage(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, dir+"/etc/passwd", "root:x:0:0:root:/root:/bin/sh\n_chrony:x:102:103::/var/lib/chrony:/bin/false\nbroken line\n")
	writeFile(t, dir+"/etc/group", "root:x:0:\nadm:x:4:_chrony,other\n_chrony:x:103:\n")
	for _, c := range []struct {
		name string
		want ocispec.User
		err  string
	}{
		{"_chrony", ocispec.User{UID: 102, GID: 103, Groups: []uint32{4}, Home: "/var/lib/chrony"}, ""},
		{"_chrony:adm", ocispec.User{UID: 102, GID: 4, Home: "/var/lib/chrony"}, ""},
		{"102:9", ocispec.User{UID: 102, GID: 9, Home: "/var/lib/chrony"}, ""},
		{"7:adm", ocispec.User{UID: 7, GID: 4, Home: "/"}, ""},
		{"nobody", ocispec.User{}, "no user nobody"},
		{"root:wheel", ocispec.User{}, "no group wheel"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := lookUp(dir, c.name)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) || !errors.Is(err, ErrPermanent) {
					t.Fatalf("got %v", err)
				}
				return
			}
			if err != nil || !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %+v (%v), want %+v", got, err, c.want)
			}
		})
	}
}

func TestALinkInTheImageDoesNotLeadToTheMachinesOwnFiles(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(dir+"/etc", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc/passwd", dir+"/etc/passwd"); err != nil {
		t.Fatal(err)
	}
	if user, err := lookUp(dir, "root"); err == nil {
		t.Errorf("found %+v", user)
	}
}

func TestOOMKillsAreCounted(t *testing.T) {
	dir := t.TempDir()
	if n := oomKills(dir); n != 0 {
		t.Errorf("without a file: %d", n)
	}
	writeFile(t, dir+"/memory.events", "low 0\nhigh 0\nmax 7\noom 2\noom_kill 1\noom_group_kill 0\n")
	if n := oomKills(dir); n != 1 {
		t.Errorf("got %d, want 1", n)
	}
}

func TestWaitingForTheSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deep", "c.sock")
	done := make(chan error, 1)
	go func() { done <- waitForSocket(t.Context(), path) }()
	// The folder appears when the waiter is there or about to be; either
	// order must work.
	for {
		if _, err := os.Stat(filepath.Dir(path)); err == nil {
			break
		}
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if err := os.Chmod(path, 0o660); err != nil { // as containerd does
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	go func() { done <- waitForSocket(ctx, filepath.Join(t.TempDir(), "never.sock")) }()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestListDevicesFindsNodesAndFollowsNothingElse(t *testing.T) {
	devices, err := listDevices("/dev")
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, d := range devices {
		if d.Path == "/dev/null" {
			found = d.Type == "c" && d.Major == 1 && d.Minor == 3
		}
		if strings.HasPrefix(d.Path, "/dev/pts/") {
			t.Errorf("%s belongs to a terminal of the machine", d.Path)
		}
	}
	if !found {
		t.Error("/dev/null is missing or wrong")
	}
	if _, err := statDevice("/"); err == nil {
		t.Error("/ is no device")
	}
}
