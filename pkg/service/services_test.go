package service

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// The services of the OS, in the folder services of this repository.
func systemServices(t *testing.T) *Set {
	t.Helper()
	set := Load(Options{}, Source{Label: "built-in", Dir: Dir{Path: "/usr/share/testudo/services", FS: os.DirFS("../../services")}})
	for _, p := range set.Problems {
		t.Errorf("%v", p)
	}
	return set
}

func TestTheServicesOfTheOSAreValid(t *testing.T) {
	set := systemServices(t)
	var names []string
	for _, s := range set.Services {
		names = append(names, s.Name)
		if s.Image != "testudo/"+s.Name {
			t.Errorf("%s: image %s", s.Name, s.Image)
		}
		if s.Restart.Policy != "always" {
			t.Errorf("%s: restart %s", s.Name, s.Restart.Policy)
		}
	}
	if want := []string{"acpid", "console", "docker", "network", "ntp", "syslog", "udev"}; !slices.Equal(names, want) {
		t.Errorf("got %v, want %v", names, want)
	}
}

func TestTheServicesOfTheOSHaveTheLeastThatWorks(t *testing.T) {
	mayBePrivileged := []string{"udev", "console", "docker"}
	for _, s := range systemServices(t).Services {
		if s.Privileged {
			if !slices.Contains(mayBePrivileged, s.Name) {
				t.Errorf("%s is privileged", s.Name)
			}
			text, err := os.ReadFile("../../services/" + s.Name + ".yaml")
			if err != nil || !strings.Contains(string(text), "# Privileged") {
				t.Errorf("%s: the file does not say why it is privileged (%v)", s.Name, err)
			}
			continue
		}
		if !slices.Equal(s.CapDrop, []string{"ALL"}) || slices.Contains(s.CapAdd, "ALL") || slices.Contains(s.CapAdd, "CAP_SYS_ADMIN") {
			t.Errorf("%s: cap_drop %v, cap_add %v", s.Name, s.CapDrop, s.CapAdd)
		}
		if !s.SecurityOpt.NoNewPrivileges || s.SecurityOpt.Seccomp != "" || !s.ReadOnly || s.MemLimit == 0 || s.PidsLimit == 0 {
			t.Errorf("%s is not confined: %+v", s.Name, s)
		}
		if s.Pid != "" || s.Ipc != "" {
			t.Errorf("%s has the host's pid or ipc namespace", s.Name)
		}
	}
}

func TestLoginWaitsForNothing(t *testing.T) {
	for _, s := range systemServices(t).Services {
		if s.Name != "console" {
			continue
		}
		if len(s.DependsOn) > 0 || !s.Essential {
			t.Errorf("console: depends on %v, essential %v", s.DependsOn, s.Essential)
		}
		actions, _ := Plan(t0, systemServices(t).Services, nil)
		if actions[0].Service != "console" || actions[0].Kind != Start {
			t.Errorf("the first action is %v", actions[0])
		}
	}
}

// Below /run/testudo are the root file systems of all containers: a recursive
// bind of it would hold them all.
func TestNoServiceHoldsTheMountsOfOthers(t *testing.T) {
	for _, s := range systemServices(t).Services {
		for _, v := range s.Volumes {
			if v.Recursive && (v.Source == "/run" || v.Source == "/run/testudo") {
				t.Errorf("%s binds %s with all that is mounted below it", s.Name, v.Source)
			}
		}
	}
}

// What the catalog offers is as confined as what the release starts by itself,
// and is made of images that the release has.
func TestTheCatalogIsValid(t *testing.T) {
	builtIn := Source{Dir: Dir{Path: "/usr/share/testudo/services", FS: os.DirFS("../../services")}}
	catalog := Source{Dir: Dir{Path: "/usr/share/testudo/catalog", FS: os.DirFS("../../catalog")}, Optional: true}
	entries, err := os.ReadDir("../../system-images")
	if err != nil {
		t.Fatal(err)
	}
	var images []string
	for _, e := range entries {
		images = append(images, "testudo/"+e.Name())
	}
	set := Load(Options{}, builtIn, catalog)
	if findings := set.Findings(images); len(findings) > 0 {
		t.Error(findings)
	}
	if len(set.Disabled) < 2 {
		t.Errorf("the catalog holds %d services", len(set.Disabled))
	}
	for _, s := range set.Disabled {
		if s.Privileged || !slices.Equal(s.CapDrop, []string{"ALL"}) || !s.SecurityOpt.NoNewPrivileges || !s.ReadOnly || s.MemLimit == 0 || s.PidsLimit == 0 {
			t.Errorf("%s is not confined: %+v", s.Name, s)
		}
	}
}
