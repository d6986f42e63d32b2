package mount

import (
	"reflect"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func every() []Mount {
	return append(append(Early(), Late()...), Image("/dev/dm-0", "/sysroot"), EFIVars())
}

// A flag may be missing only where the row says what for.
func TestEveryMountIsAsStrictAsItCanBe(t *testing.T) {
	flags := map[string]uintptr{"nosuid": unix.MS_NOSUID, "nodev": unix.MS_NODEV, "noexec": unix.MS_NOEXEC}
	for _, m := range every() {
		for name, flag := range flags {
			missing, excused := m.Flags&flag == 0, strings.Contains(m.Why, name+":")
			if missing != excused {
				t.Errorf("%s: %s missing is %v, but the reason is %q", m.Target, name, missing, m.Why)
			}
		}
	}
}

func TestNoMountIsSetuidOrTracing(t *testing.T) {
	for _, m := range every() {
		if m.Flags&unix.MS_NOSUID == 0 {
			t.Errorf("%s allows setuid programs", m.Target)
		}
		switch m.Type {
		case "tracefs", "debugfs", "configfs":
			t.Errorf("%s is not to be mounted", m.Type)
		}
	}
}

func TestParentsAreMountedBeforeTheirChildren(t *testing.T) {
	at := map[string]int{}
	for i, m := range every() {
		if _, twice := at[m.Target]; twice {
			t.Errorf("%s is mounted twice", m.Target)
		}
		at[m.Target] = i
	}
	for target, i := range at {
		for parent, j := range at {
			if strings.HasPrefix(target, parent+"/") && j > i {
				t.Errorf("%s is mounted before %s", target, parent)
			}
		}
	}
}

func TestEveryTmpfsIsBounded(t *testing.T) {
	for _, m := range every() {
		if m.Type == "tmpfs" && !strings.Contains(m.Data, "size=") {
			t.Errorf("%s may take half of the memory", m.Target)
		}
	}
}

func TestTargets(t *testing.T) {
	const info = `22 1 254:0 / / ro,nosuid,nodev - erofs /dev/dm-0 ro
23 22 0:5 / /with\040blank rw shared:1 - tmpfs tmpfs rw
24 22 0:5 /x /back\134slash rw - tmpfs tmpfs rw
broken`
	want := []string{"/", "/with blank", `/back\slash`}
	if got := Targets(info); !reflect.DeepEqual(got, want) {
		t.Fatalf("got %q, want %q", got, want)
	}
}

func FuzzTargets(f *testing.F) {
	f.Add("22 1 254:0 / /a\\040b ro - erofs x ro")
	f.Fuzz(func(t *testing.T, text string) {
		for _, target := range Targets(text) {
			if target == "" {
				t.Fatal("an empty mount point")
			}
		}
	})
}
