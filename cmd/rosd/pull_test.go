package main

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	imagespec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/testudo-os/testudo/pkg/api"
	"github.com/testudo-os/testudo/pkg/imagestore"
	"github.com/testudo-os/testudo/pkg/imagestore/imagetest"
	"github.com/testudo-os/testudo/pkg/registry"
	"github.com/testudo-os/testudo/pkg/service"
)

// stocked is a store with these images, and a registry that nobody answers for.
func stocked(t *testing.T, refs ...string) *images {
	t.Helper()
	client, err := registry.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	i := &images{store: imagestore.New(t.TempDir()), log: slog.New(slog.NewTextHandler(io.Discard, nil))}
	i.registry.Store(client)
	from := imagetest.New(imagespec.ImageConfig{}, []imagetest.File{{Name: "a", Content: "1"}})
	for _, ref := range refs {
		if _, err := i.store.Add(t.Context(), ref, from, "", nil); err != nil {
			t.Fatal(err)
		}
	}
	return i
}

const closed = "127.0.0.1:1" // nobody listens on tcpmux

func TestWhichImagesAreLookedFor(t *testing.T) {
	always, every := service.Pull{When: service.PullAlways}, service.Pull{When: service.PullEvery, Every: time.Nanosecond}
	pinned := closed + "/here@sha256:" + strings.Repeat("a", 64)
	i := stocked(t, closed+"/here:1", "local/imported:1", pinned)
	for _, c := range []struct {
		svc       service.Service
		here, due bool
	}{
		{service.Service{Image: "testudo/ntp", Pull: always}, false, false},
		{service.Service{Image: closed + "/here:1"}, true, false},
		{service.Service{Image: closed + "/here:1", Pull: always}, true, false}, // it has just come
		{service.Service{Image: closed + "/here:1", Pull: every}, true, true},
		{service.Service{Image: closed + "/missing:1"}, false, true},
		{service.Service{Image: closed + "/missing:1", Pull: service.Pull{When: service.PullNever}}, false, false},
		{service.Service{Image: pinned, Pull: every}, true, false},
		{service.Service{Image: "local/imported:1", Pull: every}, true, false},
	} {
		fetched, due, err := i.due(c.svc)
		if err != nil || due != c.due || fetched.IsZero() == c.here {
			t.Errorf("%s %+v: due %v, fetched %v (%v)", c.svc.Image, c.svc.Pull, due, fetched, err)
		}
	}
}

func TestUpSaysWhichImagesItFetches(t *testing.T) {
	every := service.Pull{When: service.PullEvery, Every: time.Nanosecond}
	i := stocked(t, closed+"/here:1")
	set := &service.Set{Services: []service.Service{
		{Name: "fresh", Image: closed + "/missing:1"}, {Name: "same", Image: closed + "/here:1", Pull: every}, {Name: "stopped", Image: closed + "/missing:1"},
		{Name: "update", Image: closed + "/here:1", Pull: every},
	}}
	changes := []api.Change{{Service: "fresh", Action: api.ChangeStart}, {Service: "update", Action: api.ChangeUpdate}}
	got, err := i.toPull(set, changes, nil)
	if err != nil || len(got) != 3 || !got[0].Pull || got[1].Service != "same" || got[1].Action != api.ChangePull || !got[2].Pull {
		t.Errorf("%+v (%v)", got, err)
	}
	if got, err := i.toPull(set, nil, []string{"fresh"}); err != nil || len(got) != 0 {
		t.Errorf("of another service: %+v (%v)", got, err)
	}
	i.identify(set)
	if set.Services[0].ImageDigest != "" || !strings.HasPrefix(set.Services[1].ImageDigest, "sha256:") {
		t.Errorf("%+v", set.Services)
	}
}

// Offline, what is here runs and what is not cannot.
func TestARegistryThatDoesNotAnswerStopsOnlyWhatIsNotHere(t *testing.T) {
	every := service.Pull{When: service.PullEvery, Every: time.Nanosecond}
	i := stocked(t, closed+"/here:1")
	steps := 0
	count := func(int64, int64) { steps++ }
	if err := i.bring(t.Context(), &service.Service{Name: "web", Image: closed + "/here:1", Pull: every}, false, count); err != nil || steps == 0 {
		t.Errorf("one that is here: %v, %d steps", err, steps)
	}
	steps = 0
	if err := i.bring(t.Context(), &service.Service{Name: "web", Image: closed + "/here:1", Pull: every}, true, count); err != nil || steps != 0 {
		t.Errorf("at a restart after a failure: %v, %d steps", err, steps)
	}
	if err := i.bring(t.Context(), &service.Service{Name: "web", Image: closed + "/missing:1"}, true, count); err == nil || !strings.Contains(err.Error(), closed+"/missing:1") {
		t.Errorf("one that is not: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := i.bring(ctx, &service.Service{Name: "web", Image: closed + "/here:1", Pull: every}, false, count); err == nil {
		t.Error("what was given up is taken for done")
	}
}

func TestAnAlmostFullDiskIsAProblem(t *testing.T) {
	for _, c := range []struct {
		size, free int64
		want       int
	}{{1 << 30, 500 << 20, 0}, {1 << 30, 20 << 20, 1}, {1 << 30, 0, 1}, {1 << 40, 1 << 30, 0}, {1 << 40, 100 << 20, 1}, {0, 0, 0}} {
		if got := fullDisks([]api.Disk{{Path: "/state", Size: c.size, Free: c.free}}); len(got) != c.want {
			t.Errorf("%d of %d free: %q", c.free, c.size, got)
		}
	}
}
