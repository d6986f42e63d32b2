package ocispec

import (
	"slices"
	"strings"
	"testing"

	imagespec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/testudo-os/testudo/pkg/service"
)

func buildApart(svc service.Service, mappable func(string) bool) (*specs.Spec, error) {
	svc.Name, svc.Userns = "apart", true
	return Build(&svc, imagespec.ImageConfig{Cmd: []string{"x"}}, Host{Mappable: mappable}, Options{FirstID: 1 << 28})
}

// mountOf is a mount, or one of nothing.
func mountOf(s *specs.Spec, target string) specs.Mount {
	if m := mountAt(s, target); m != nil {
		return *m
	}
	return specs.Mount{}
}

func TestAServiceOfItsOwnUserIDs(t *testing.T) {
	s, err := buildApart(service.Service{
		NetworkMode: "host", Volumes: []service.Volume{{Source: "/srv", Target: "/srv"}, {Source: "/layer", Target: "/ro", ReadOnly: true}},
		Tmpfs: []service.Tmpfs{{Target: "/tmp"}},
	}, func(path string) bool { return path != "/layer" && path != "/sys" })
	if err != nil {
		t.Fatal(err)
	}
	want := []specs.LinuxIDMapping{{ContainerID: 0, HostID: 1 << 28, Size: 1 << 16}}
	if !slices.Equal(s.Linux.UIDMappings, want) || !slices.Equal(s.Linux.GIDMappings, want) {
		t.Errorf("mappings %v and %v", s.Linux.UIDMappings, s.Linux.GIDMappings)
	}
	if !slices.Contains(s.Linux.Namespaces, specs.LinuxNamespace{Type: specs.UserNamespace}) {
		t.Errorf("namespaces %v", s.Linux.Namespaces)
	}
	for target, mapped := range map[string]bool{"/srv": true, "/ro": false, "/tmp": false, "/sys": false, "/proc": false} {
		if m := mountOf(s, target); m.Type == "" || slices.Equal(m.UIDMappings, want) != mapped || slices.Equal(m.GIDMappings, want) != mapped {
			t.Errorf("%s: %+v", target, m)
		}
	}
	// The network namespace is not its own, so it cannot mount its sysfs.
	if m := mountOf(s, "/sys"); m.Type != "bind" || !slices.Contains(m.Options, "rro") {
		t.Errorf("/sys: %+v", m)
	}
	own, err := buildApart(service.Service{NetworkMode: "none"}, nil)
	if err != nil || mountOf(own, "/sys").Type != "sysfs" {
		t.Errorf("/sys with a network of its own: %+v (%v)", mountOf(own, "/sys"), err)
	}
}

func TestFilesWhoseOwnersCannotBeMovedAreForReadingOnly(t *testing.T) {
	_, err := buildApart(service.Service{Volumes: []service.Volume{{Source: "/overlay", Target: "/srv"}}}, func(string) bool { return false })
	if err == nil || !strings.Contains(err.Error(), "volume /srv: the file system of /overlay knows no other owners") {
		t.Errorf("got %v", err)
	}
}

func TestWithoutAUserNamespaceNothingIsMapped(t *testing.T) {
	svc := service.Service{Name: "web", Volumes: []service.Volume{{Source: "/srv", Target: "/srv"}}}
	s, err := Build(&svc, imagespec.ImageConfig{Cmd: []string{"x"}}, Host{}, Options{FirstID: 7})
	if err != nil || s.Linux.UIDMappings != nil || mountOf(s, "/srv").UIDMappings != nil || mountOf(s, "/sys").Type != "sysfs" {
		t.Errorf("%+v (%v)", s.Linux, err)
	}
}

func TestEnvironmentIsLaidOver(t *testing.T) {
	got := Environment([]string{"A=1", "B=2", "NONE"}, []string{"B=3", "C=", "A=4"})
	if want := []string{"A=4", "B=3", "C="}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
