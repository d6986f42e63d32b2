package qemutests

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/testudo-os/testudo/pkg/api"
	"github.com/testudo-os/testudo/pkg/qemu"
)

// of `./build.sh test -args "-kills 500 -seed 7"`
var (
	kills    = flag.Int("kills", 10, "how often something is killed in the run of kills at random")
	seed     = flag.Uint64("seed", 0, "what the run of kills at random begins with; 0: another one each time")
	services = flag.Int("services", 40, "how many services the machine with many of them has")
)

// oneEach fails when a service has no container or more than one: each has one
// shim, named after it, and one control group with processes.
func oneEach(s *session, all map[string]api.Service) error {
	out, err := s.try(`for d in /proc/[0-9]*; do [ "$(cat $d/comm 2>/dev/null)" = containerd-shim ] && tr '\0' ' ' <$d/cmdline && echo; done; true`)
	if err != nil {
		return err
	}
	shims := map[string]int{}
	for line := range strings.Lines(out) {
		words := strings.Fields(line)
		for i, word := range words {
			if word == "-id" && i+1 < len(words) {
				shims[words[i+1]]++
			}
		}
	}
	for name, n := range shims {
		if svc, known := all[name]; n != 1 || !known || svc.PID == 0 {
			return fmt.Errorf("%s has %d shims, and is %s: %s", name, n, svc.State, svc.Reason)
		}
	}
	for name, svc := range all {
		if svc.PID != 0 && shims[name] != 1 {
			return fmt.Errorf("%s runs and has %d shims:\n%s", name, shims[name], out)
		}
	}
	return nil
}

// Whatever is taken from those who manage services, what runs goes on, and all
// is as before when they have it back.
func TestTheManagersOutliveWhatIsTakenFromThem(t *testing.T) {
	t.Parallel()
	m := boot(t, setup{allow: "Too many open files|too many open files|No space left|no space left"})
	root := m.login("root")
	root.put("/run/guest", "755", guestProgram(t))
	before := pids(root.waitReady(coreServices()...))
	undisturbed := func(after string) {
		t.Helper()
		m.eventually(2*time.Minute, func() error {
			all, err := root.services()
			if err == nil {
				err = sameRunning(before, all, "")
			}
			if err == nil {
				err = oneEach(root, all)
			}
			if err != nil {
				err = fmt.Errorf("after %s: %w", after, err)
			}
			return err
		})
	}
	newOne := func(daemon, old string) {
		t.Helper()
		m.eventually(time.Minute, func() error {
			if now := pidOf(root, daemon); now == "" || now == old {
				return fmt.Errorf("%s is not back: %q", daemon, now)
			}
			return nil
		})
	}

	t.Run("a containerd that does not answer", func(t *testing.T) {
		containerd, rosd := pidOf(root, "containerd"), pidOf(root, "rosd")
		root.run("kill -STOP " + containerd)
		if out := root.run("ros service ls; ros status; true"); !strings.Contains(out, "network") {
			t.Errorf("ros says\n%s", out)
		}
		root.run("kill -9 " + rosd)
		newOne("rosd", rosd)
		m.eventually(time.Minute, func() error { _, err := root.try("ros service ls"); return err })
		root.run("kill -CONT " + containerd)
		undisturbed("a containerd that did not answer")
		root.run("ros service restart ntp")
		before["ntp"] = root.waitReady("ntp")["ntp"].PID
	})
	t.Run("no file descriptors for PID 1", func(t *testing.T) {
		rosd, containerd := pidOf(root, "rosd"), pidOf(root, "containerd")
		limit := strings.Fields(root.run("grep 'Max open files' /proc/1/limits"))[3]
		root.run("/run/guest openfiles 1 3")
		root.run("kill -9 " + rosd + " " + containerd)
		root.run("sleep 5")
		if now := pidOf(root, "rosd"); now != "" {
			t.Errorf("rosd was started without file descriptors: %s", now)
		}
		root.run("/run/guest openfiles 1 " + limit)
		newOne("rosd", rosd)
		newOne("containerd", containerd)
		undisturbed("PID 1 had no file descriptors")
	})
	t.Run("a full /run", func(t *testing.T) {
		rosd, containerd := pidOf(root, "rosd"), pidOf(root, "containerd")
		root.run("dd if=/dev/zero of=/run/testudo/filler bs=1M 2>/dev/null; df /run/testudo | tail -1")
		root.run("kill -9 " + rosd + " " + containerd)
		root.run("sleep 5; rm /run/testudo/filler")
		newOne("rosd", rosd)
		newOne("containerd", containerd)
		undisturbed("a full /run")
		root.run("ros service restart ntp")
	})
	t.Run("a service that is deaf at power-off", func(t *testing.T) {
		root.run("mkdir -p /var/lib/testudo/services && cp /run/guest /home/guest")
		root.put("/run/deaf.yaml", "644", []byte("services: {deaf: {image: testudo/syslog, entrypoint: [/guest, deaf], volumes: ['/home/guest:/guest:ro'], stop_grace_period: 3s}}\n"))
		root.run("ros service create deaf --now --file /run/deaf.yaml")
		root.waitReady("deaf")
		if _, err := root.try("ros poweroff"); err != nil && !isGone(err) {
			t.Log(err)
		}
		m.waitExit()
	})
}

// rosd, containerd or both are killed again and again at random moments while
// services are started, stopped, changed and upgraded.
func TestKillsAtRandom(t *testing.T) {
	t.Parallel()
	if *seed == 0 {
		*seed = rand.Uint64()
	}
	t.Logf("again with: ./build.sh test -run %s -args \"-kills %d -seed %d\"", t.Name(), *kills, *seed)
	random := rand.New(rand.NewPCG(*seed, 1))
	r := startRegistry(t)
	r.push("web", "1", webImage(t, "serve", ":8080", "one"))
	r.push("web", "2", webImage(t, "serve", ":8080", "two"))
	m := boot(t, setup{network: qemu.UserNet, cloudConfig: fmt.Sprintf("testudo:\n  registries:\n    - {host: %q, plain_http: true}\n", r.host())})
	w := web{m.login("root"), r.host()}
	w.put("/run/guest", "755", guestProgram(t))
	others := pids(w.waitReady(coreServices()...))
	w.declare("")
	w.run("ros service up")
	version := 1
	for n := range *kills {
		var what string
		switch random.IntN(5) {
		case 0:
			what = "ros service restart web"
		case 1:
			what = "ros service stop web; ros service start web"
		case 2:
			version = 3 - version
			what = fmt.Sprintf("ros service upgrade web --window 2s --image %s/web:%d", r.host(), version)
		case 3:
			w.declare(fmt.Sprintf("    environment: {N: '%d'}\n", n))
			what = "ros service up"
		case 4:
			what = "ros service exec web /guest echo hello; ros service pull web"
		}
		wait := time.Duration(random.IntN(4000)) * time.Millisecond
		victims := [][]string{{"rosd"}, {"containerd"}, {"rosd", "containerd"}, {"containerd", "rosd"}}[random.IntN(4)]
		t.Logf("%d: %s; after %v kill %v", n, what, wait, victims)
		w.run("(" + what + ") >/run/doing.log 2>&1 &")
		w.run(fmt.Sprintf("sleep %.3f", wait.Seconds()))
		for _, victim := range victims {
			if pid := pidOf(w.session, victim); pid != "" {
				w.run("kill -9 " + pid)
			}
		}
		m.eventually(3*time.Minute, func() error {
			all, err := w.services()
			if err == nil {
				err = sameRunning(others, all, "web")
			}
			if err == nil && all["web"].State == api.StateStopped {
				// The command that was to start it again was cut off.
				_, err = w.try("ros service start web")
			}
			if err == nil {
				err = oneEach(w.session, all)
			}
			if web := all["web"]; err == nil && (!web.Ready || web.State != api.StateRunning || web.Reason != "") {
				err = fmt.Errorf("web is %s: %s", web.State, web.Reason)
			}
			if err == nil {
				_, err = w.try("/run/guest get http://127.0.0.1:8080/")
			}
			if err != nil {
				err = fmt.Errorf("seed %d, %d (%s; after %v kill %v): %w\n%s", *seed, n, what, wait, victims, err, w.run("cat /run/doing.log; ros service ps web; tail -5 /run/testudo/rosd.log"))
			}
			return err
		})
	}
}

// Many services on one machine: all start, and rosd stays small.
func TestManyServicesOnOneMachine(t *testing.T) {
	t.Parallel()
	m := boot(t, setup{memory: 512 + 16**services})
	root := m.login("root")
	before := pids(root.waitReady(coreServices()...))
	resident := func() int {
		var kib int
		fmt.Sscanf(root.run("grep VmRSS /proc/"+pidOf(root, "rosd")+"/status"), "VmRSS: %d", &kib)
		return kib
	}
	few := resident()
	var file strings.Builder
	file.WriteString("x-one: &one {image: testudo/syslog, entrypoint: [/bin/sleep, '1000000'], restart: always, mem_limit: 16m}\nservices:\n")
	var names []string
	for i := range *services {
		names = append(names, fmt.Sprintf("many%d", i))
		fmt.Fprintf(&file, "  many%d: {<<: *one, depends_on: [network]}\n", i)
	}
	root.run("mkdir -p /var/lib/testudo/services")
	root.put("/var/lib/testudo/services/many.yaml", "644", []byte(file.String()))
	began := time.Now()
	root.run("ros service up >/run/up.log 2>&1 &")
	var all map[string]api.Service
	m.eventually(time.Minute+time.Duration(*services)*10*time.Second, func() (err error) {
		if all, err = root.services(); err != nil {
			return err
		}
		for _, name := range names {
			if !all[name].Ready {
				return fmt.Errorf("%s is %s: %s", name, all[name].State, all[name].Reason)
			}
		}
		return nil
	})
	many := resident()
	t.Logf("%d services started in %v; rosd: %d KiB with %d services, %d KiB with %d", *services, time.Since(began), few, len(before), many, len(all))
	if err := sameRunning(before, all, ""); err != nil {
		t.Error(err)
	}
	if err := oneEach(root, all); err != nil {
		t.Error(err)
	}
	if grown := many - few; grown > 8<<10+64**services {
		t.Errorf("rosd has grown by %d KiB for %d services", grown, *services)
	}
	// The next rosd takes all of them over.
	root.run("kill -9 " + pidOf(root, "rosd"))
	running := pids(all)
	m.eventually(time.Minute, func() error {
		now, err := root.services()
		if err == nil {
			err = sameRunning(running, now, "")
		}
		return err
	})
}
