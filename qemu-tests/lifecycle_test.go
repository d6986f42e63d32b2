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

	imagesAreFetched(w, r, undisturbed)
	anotherUsersService(w)
	if out := w.run("ros status"); !strings.Contains(out, "last upgrade") || !strings.Contains(out, "web to "+r.host()+"/web:2@") {
		t.Errorf("ros status:\n%s", out)
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

// imagesAreFetched: by the pull policy, and not in part when the disk is full.
func imagesAreFetched(w web, r *registry, undisturbed func(string)) {
	t := w.m.t
	t.Helper()
	fetched := func(policy string) []byte {
		return fmt.Appendf(nil, "services: {fetched: {image: '%s/fetched:1', network_mode: host, restart: always, pull_policy: %s}}\n", w.host, policy)
	}
	file := "/var/lib/testudo/services/fetched.yaml"
	says := func(want string) {
		t.Helper()
		w.m.eventually(time.Minute, func() error {
			out, err := w.try("/run/guest get http://127.0.0.1:8081/")
			if err == nil && strings.TrimSpace(out) != want {
				err = fmt.Errorf("it says %q, want %q", out, want)
			}
			return err
		})
	}
	w.put(file, "644", fetched("never"))
	if out := w.fails("ros service up fetched"); !strings.Contains(out, "never pulled") {
		t.Errorf("pull_policy: never:\n%s", out)
	}
	// The registry does not have it yet: the next rosd goes on asking.
	w.put(file, "644", fetched("missing"))
	w.fails("ros service up fetched")
	w.run("kill -9 " + pidOf(w.session, "rosd"))
	w.m.eventually(time.Minute, func() error {
		all, err := w.services()
		if row := all["fetched"]; err == nil && (row.State != api.StateBackoff || !strings.Contains(row.Reason, "next try in")) {
			err = fmt.Errorf("fetched is %s: %s", row.State, row.Reason)
		}
		return err
	})
	r.push("fetched", "1", webImage(t, "serve", ":8081", "early"))
	says("early")
	undisturbed("an image that came late")

	// Another image of the name.
	r.push("fetched", "1", webImage(t, "serve", ":8081", "late"))
	if out := w.run("ros service up"); !strings.Contains(out, "Nothing to do") {
		t.Errorf("up with pull_policy missing:\n%s", out)
	}
	w.put(file, "644", fetched("every_1s"))
	if out := w.run("ros service up --dry-run"); !strings.Contains(out, "fetched") {
		t.Errorf("dry run with a policy that asks:\n%s", out)
	}
	if out := w.run("ros service up 2>&1"); !strings.Contains(out, "fetched anew") || !strings.Contains(out, "fetched: pull") {
		t.Errorf("up with a policy that asks:\n%s", out)
	}
	says("late")

	// No room: nothing of it stays, and what runs goes on.
	big := make([]byte, 24<<20)
	for i := range big {
		big[i] = byte(i * i >> 7) // not to be compressed to nothing
	}
	r.push("fetched", "big", imagetest.New(imagespec.ImageConfig{Entrypoint: []string{"/guest", "serve", ":8081", "big"}},
		[]imagetest.File{{Name: "guest", Content: string(guestProgram(t)), Mode: 0o755}}, []imagetest.File{{Name: "big", Content: string(big)}}))
	free := "$(df -k /var/lib/testudo | tail -1 | awk '{print $4}')"
	w.run("fallocate -l $((" + free + " - 8192))k /var/lib/testudo/filler")
	if out := w.fails("ros service upgrade fetched --image " + w.host + "/fetched:big"); !strings.Contains(out, "no space left on device") {
		t.Errorf("an upgrade on a full disk:\n%s", out)
	}
	if out := w.run("ros image ls; find /var/lib/testudo/images -name '.new-*'"); strings.Contains(out, "big") || strings.Contains(out, ".new-") {
		t.Errorf("left behind:\n%s", out)
	}
	says("late")
	undisturbed("a full disk")
	w.run("rm /var/lib/testudo/filler")
	w.run("ros service upgrade fetched --window 2s --image " + w.host + "/fetched:big")
	says("big")
	w.run("ros service rollback fetched")
	says("late")
	w.run("ros service rm --now fetched")
	w.fails("ros service ps fetched")
}

// anotherUsersService: root in a service with userns_mode: auto is nobody on
// the machine, but for the files that it was given.
func anotherUsersService(w web) {
	t := w.m.t
	t.Helper()
	w.run("mkdir -p /var/lib/testudo/given /var/lib/testudo/www && echo given >/var/lib/testudo/given/file && echo page >/var/lib/testudo/www/page")
	w.put("/run/apart.yaml", "644", []byte(`services:
  apart:
    image: testudo/syslog
    entrypoint: [/bin/sh, -c, "echo from inside >/given/new; touch /own; exec sleep 100000"]
    userns_mode: auto
    persistent: true
    volumes: ['/var/lib/testudo/given:/given', '/etc/localtime:/etc/localtime:ro']
`))
	if out := w.fails("ros service create apart --file /run/apart.yaml"); !strings.Contains(out, "persistent") {
		t.Errorf("a key that is not one:\n%s", out)
	}
	w.run("sed -i '/persistent/d' /run/apart.yaml; ros service create --now apart --file /run/apart.yaml")
	row := w.waitReady("apart")["apart"]
	var first, size int
	if _, err := fmt.Sscan(w.run(fmt.Sprintf("cat /proc/%d/uid_map", row.PID)), new(int), &first, &size); err != nil || first < 1<<28 || size != 1<<16 {
		t.Errorf("its user ids are %d of %d (%v)", size, first, err)
	}
	if out := w.run(fmt.Sprintf("grep ^Uid: /proc/%d/status", row.PID)); !strings.Contains(out, fmt.Sprint(first)) {
		t.Errorf("on the machine it is %s, want %d", out, first)
	}
	if out := w.run("ros service exec apart sh -c 'id -u; stat -c %u /bin/sh /given/file /own; cat /given/file'"); out != "0\n0\n0\n0\ngiven\n" {
		t.Errorf("inside: %q", out)
	}
	if out := w.run("stat -c '%u %n' /var/lib/testudo/given/new; cat /var/lib/testudo/given/new"); out != "0 /var/lib/testudo/given/new\nfrom inside\n" {
		t.Errorf("what it wrote: %q", out)
	}
	w.run("ros service restart apart")
	again := w.waitReady("apart")["apart"]
	if out := w.run(fmt.Sprintf("cat /proc/%d/uid_map", again.PID)); !strings.Contains(out, fmt.Sprint(first)) {
		t.Errorf("after a restart it has other ids: %s, before %d", out, first)
	}
	w.run("ros service rm --now apart")

	// The one of the catalog that can.
	w.run("ros service enable --now httpd")
	httpd := w.waitReady("httpd")["httpd"]
	if out := w.run(fmt.Sprintf("cat /proc/%d/uid_map", httpd.PID)); strings.Contains(out, "4294967295") {
		t.Errorf("httpd has the machine's user ids: %s", out)
	}
	w.run("ros service disable --now httpd")
	if row := w.all()["httpd"]; row.State != api.StateDisabled || row.PID != 0 {
		t.Errorf("httpd is %s: %s", row.State, row.Reason)
	}
}

func (w web) all() map[string]api.Service {
	w.m.t.Helper()
	all, err := w.services()
	if err != nil {
		w.m.t.Fatal(err)
	}
	return all
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
