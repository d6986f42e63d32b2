//go:build faults

package upgrade

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	imagespec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/testudo-os/testudo/pkg/api"
	"github.com/testudo-os/testudo/pkg/imagestore"
	"github.com/testudo-os/testudo/pkg/imagestore/imagetest"
	"github.com/testudo-os/testudo/pkg/service"
)

// points are all fault points of an upgrade, in their order.
var points = []string{
	"layer-written", "layer-stored", "layers-stored", "manifest-stored", "before-trial", "trial-recorded", "trial-over", "settled",
}

// onDisk is a rosd of which nothing but the disk outlives a kill; its
// supervisor finds every image good.
func onDisk(dir string) (*Upgrader, *imagestore.Store) {
	store := imagestore.New(filepath.Join(dir, "images"))
	from := imagetest.New(imagespec.ImageConfig{}, []imagetest.File{{Name: "a", Content: "1"}}, []imagetest.File{{Name: "b", Content: "2"}})
	u := New(Options{
		Dir: filepath.Join(dir, "pins"), BootID: "boot", Now: time.Now,
		Fetch: func(ctx context.Context, ref, _ string, _ func(api.Progress)) (string, error) {
			pin := func(d digest.Digest) (string, error) { return ref + "@" + d.String(), nil }
			image, err := store.AddPinned(ctx, ref, pin, from, "", nil)
			return image.Ref, err
		},
		Drop:  store.Remove,
		Files: func() *service.Set { return &service.Set{Services: []service.Service{{Name: "web", Image: "web:1"}}} },
		Apply: func(context.Context, *service.Set, string) ([]api.Change, error) {
			return []api.Change{{Service: "web", Result: &api.Service{State: api.StateRunning, Ready: true}}}, nil
		},
	})
	return u, store
}

func TestMain(m *testing.M) {
	dir := os.Getenv("UPGRADE_IN")
	if dir == "" {
		os.Exit(m.Run())
	}
	u, _ := onDisk(dir)
	if _, err := u.Upgrade(context.Background(), "web", api.Upgrade{Image: "web:2"}, func(api.Progress) {}); err != nil {
		panic(err)
	}
}

// A rosd that is killed at any step leaves the next one a whole image or none,
// and a record from which it gets to the end.
func TestKilledAtEveryStepOfAnUpgradeTheNextOneFinishes(t *testing.T) {
	for _, point := range points {
		t.Run(point, func(t *testing.T) {
			dir := t.TempDir()
			child := exec.Command(os.Args[0])
			child.Env = append(os.Environ(), "UPGRADE_IN="+dir, "TESTUDO_FAULT="+point)
			out, err := child.CombinedOutput()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
				t.Fatalf("it was not killed: %v\n%s", err, out)
			}

			u, store := onDisk(dir)
			if err := errors.Join(store.Recover(), u.Recover()); err != nil {
				t.Fatal(err)
			}
			images, err := store.List()
			if err != nil {
				t.Fatal(err)
			}
			for _, image := range images { // what is listed is whole
				if _, _, err := store.Read(image); err != nil {
					t.Error(err)
				}
			}
			declared := u.Declared().Services[0].Image
			if _, err := store.Find(declared); declared != "web:1" && err != nil {
				t.Errorf("%s is to run and is not there: %v", declared, err)
			}
			// The supervisor goes on with what is declared, and judges it.
			if err := u.Judged("web", service.Service{Name: "web", Image: declared}, nil); err != nil {
				t.Fatal(err)
			}
			done, err := u.Upgrade(t.Context(), "web", api.Upgrade{Image: "web:2"}, func(api.Progress) {})
			if err != nil {
				t.Fatal(err)
			}
			p, err := u.pins.load("web")
			if err != nil || p.Trial != nil || p.Current != done.Image || p.Previous != "web:1" {
				t.Errorf("it ends with %+v (%v)", p, err)
			}
			err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
				if err == nil && !e.IsDir() && e.Name()[0] == '.' {
					t.Errorf("left behind: %s", path)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}
