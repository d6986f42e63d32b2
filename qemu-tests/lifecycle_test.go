package qemutests

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	imagespec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/testudo-os/testudo/pkg/api"
	"github.com/testudo-os/testudo/pkg/imagestore/imagetest"
	"github.com/testudo-os/testudo/pkg/qemu"
)

// webImage answers with a word on port 8080.
func webImage(t *testing.T, args ...string) *imagetest.Image {
	t.Helper()
	return imagetest.New(imagespec.ImageConfig{Entrypoint: append([]string{"/guest"}, args...)},
		[]imagetest.File{{Name: "guest", Content: string(guestProgram(t)), Mode: 0o755}},
		[]imagetest.File{{Name: "etc/version", Content: fmt.Sprint(args)}})
}

const webFile = `services:
  web:
    image: %s/web:1
    network_mode: host
    restart: always
    healthcheck: {interval: 500ms, retries: 2, start_period: 15s}
    x-ros:
      healthcheck: {http: "http://127.0.0.1:8080/"}
%s`

// web is the service of these tests on a machine.
type web struct {
	*session
	host string
}

func (w web) declare(more string) {
	w.m.t.Helper()
	w.put("/var/lib/testudo/services/web.yaml", "644", fmt.Appendf(nil, webFile, w.host, more))
}

func (w web) serves(want string) {
	w.m.t.Helper()
	if got := strings.TrimSpace(w.run("/run/guest get http://127.0.0.1:8080/")); got != want {
		w.m.t.Errorf("web says %q, want %q", got, want)
	}
}

func (w web) row() api.Service {
	w.m.t.Helper()
	all, err := w.services()
	if err != nil {
		w.m.t.Fatal(err)
	}
	return all["web"]
}

// fails runs a command that must fail and gives all it said.
func (w web) fails(command string) string {
	w.m.t.Helper()
	out, err := w.try(command + " 2>&1")
	if err == nil {
		w.m.t.Errorf("%s: it did not fail:\n%s", command, out)
	}
	return out
}

func TestServicesChangeWithoutTouchingOthers(t *testing.T) {
	t.Parallel()
	r := startRegistry(t)
	r.push("web", "1", webImage(t, "serve", ":8080", "one"))
	r.push("web", "2", webImage(t, "serve", ":8080", "two"))
	r.push("web", "bad", webImage(t, "nonsense"))
	r.push("web", "ill", webImage(t, "wait"))
	disk := newDisk(t, diskSize)
	config := fmt.Sprintf("testudo:\n  registries:\n    - {host: %q, plain_http: true}\n", r.host())
	first := boot(t, setup{disks: disks(disk), args: autoformat, network: qemu.UserNet, cloudConfig: config})
	w := web{first.login("root"), r.host()}
	w.put("/run/guest", "755", guestProgram(t))
	others := pids(w.waitReady(coreServices()...))
	undisturbed := func(what string) {
		t.Helper()
		all, err := w.services()
		if err == nil {
			err = sameRunning(others, all, "web")
		}
		if err != nil {
			t.Errorf("after %s: %v", what, err)
		}
	}

	w.declare("")
	if out := w.run("ros service up --dry-run"); !strings.Contains(out, "web") || !strings.Contains(out, "start") {
		t.Errorf("dry run:\n%s", out)
	}
	w.run("ros service up")
	w.serves("one")
	undisturbed("a new service")
	if out := w.run("ros service up"); !strings.Contains(out, "Nothing to do") {
		t.Errorf("a second up:\n%s", out)
	}

	before := w.row().PID
	w.declare("    environment: {A: '1'}\n")
	if out := w.run("ros service up"); !strings.Contains(out, "environment") {
		t.Errorf("up after an edit:\n%s", out)
	}
	if now := w.row().PID; now == before || now == 0 {
		t.Errorf("web had process %d and has %d", before, now)
	}
	undisturbed("an edit")

	w.declare("    command: [more]\n")
	if out := w.fails("ros service up"); !strings.Contains(out, "what ran before runs again") {
		t.Errorf("up with a bad edit:\n%s", out)
	}
	w.serves("one")
	if row := w.row(); row.Refused == nil || !strings.Contains(row.Refused.Reason, "exit 1") {
		t.Errorf("after a bad edit: %+v", row)
	}
	w.declare("")
	w.run("ros service up")
	undisturbed("a bad edit")

	w.run("ros service upgrade web --window 3s --image " + r.host() + "/web:2")
	w.serves("two")
	for _, c := range []struct{ tag, why string }{{"bad", "exit 1"}, {"ill", "not ready"}, {"none", "does not have it"}} {
		began := time.Now()
		out := w.fails("ros service upgrade web --window 3s --image " + r.host() + "/web:" + c.tag)
		if c.tag != "ill" && !strings.Contains(out, c.why) {
			t.Errorf("upgrade to %s:\n%s", c.tag, out)
		}
		t.Logf("upgrade to %s: back after %v", c.tag, time.Since(began))
		w.serves("two")
	}
	if out := w.fails("ros service upgrade web --image " + r.host() + "/web:1 --to sha256:" + strings.Repeat("0", 64)); !strings.Contains(out, "another digest") {
		t.Errorf("upgrade to another digest:\n%s", out)
	}
	w.run("ros service rollback web")
	w.serves("one")
	w.run("ros service rollback web")
	w.serves("two")
	undisturbed("upgrades")
	if out := w.run("ros image ls"); !strings.Contains(out, "web:2@sha256:") || strings.Contains(out, "web:bad") {
		t.Errorf("ros image ls:\n%s", out)
	}
	if out := w.fails("ros image rm " + r.host() + "/web:1"); !strings.Contains(out, "used by web") {
		t.Errorf("ros image rm:\n%s", out)
	}

	// Images and pins are on the state disk.
	if _, err := w.try("ros poweroff"); err != nil && !isGone(err) {
		t.Log(err)
	}
	first.waitExit()
	second := boot(t, setup{disks: disks(disk), cloudConfig: config})
	w = web{second.login("root"), r.host()}
	w.put("/run/guest", "755", guestProgram(t))
	w.waitReady("web")
	w.serves("two")

	// A job of an image that is here runs each minute.
	w.put("/var/lib/testudo/services/job.yaml", "644", fmt.Appendf(nil, jobFile, r.host()))
	w.run("ros service up job")
	second.eventually(3*time.Minute, func() error {
		if out := w.run("ros service ps job"); !strings.Contains(out, "done, next run in") {
			return fmt.Errorf("the job has not run:\n%s", out)
		}
		return nil
	})
	if out := w.run("ros service logs job"); !strings.Contains(out, "hello") {
		t.Errorf("the job said:\n%s", out)
	}
}

const jobFile = `services:
  job:
    image: %s/web:1
    entrypoint: [/guest, echo, hello]
    x-ros: {schedule: "* * * * *"}
`

func TestRosdKilledInAnUpgradeFinishesIt(t *testing.T) {
	t.Parallel()
	r := startRegistry(t)
	r.push("web", "1", webImage(t, "serve", ":8080", "one"))
	r.push("web", "2", webImage(t, "serve", ":8080", "two"))
	m := boot(t, setup{network: qemu.UserNet, cloudConfig: fmt.Sprintf("testudo:\n  registries:\n    - {host: %q, plain_http: true}\n", r.host())})
	w := web{m.login("root"), r.host()}
	w.put("/run/guest", "755", guestProgram(t))
	others := pids(w.waitReady(coreServices()...))
	w.declare("")
	w.run("ros service up")
	w.serves("one")

	// On trial of the new version.
	w.run("ros service upgrade web --window 8s --image " + r.host() + "/web:2 >/run/upgrade.log 2>&1 &")
	m.eventually(time.Minute, func() error {
		if row := w.row(); !strings.Contains(row.Image, "web:2") || !row.Ready {
			return fmt.Errorf("web: %+v", row)
		}
		return nil
	})
	old := pidOf(w.session, "rosd")
	pid := w.row().PID
	w.run("kill -9 " + old)
	m.eventually(time.Minute, func() error {
		all, err := w.services()
		if err != nil {
			return err
		}
		if row := all["web"]; row.PID != pid || row.Refused != nil || row.Reason != "" {
			return fmt.Errorf("web: %+v", row)
		}
		return sameRunning(others, all, "web")
	})
	w.serves("two")
	m.eventually(time.Minute, func() error {
		var pin struct {
			Current string
			Trial   *struct{}
		}
		if err := json.Unmarshal([]byte(w.run("cat /var/lib/testudo/upgrades/web.json")), &pin); err != nil {
			return err
		}
		if pin.Trial != nil || !strings.Contains(pin.Current, "web:2@sha256:") {
			return fmt.Errorf("the upgrade is not settled:\n%s", w.run("cat /var/lib/testudo/upgrades/web.json /run/upgrade.log; tail -20 /run/testudo/rosd.log; ros service ps web"))
		}
		return nil
	})
	w.run("ros service rollback web")
	w.serves("one")
}
