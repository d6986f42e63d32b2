package qemutests

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/testudo-os/testudo/pkg/api"
	"github.com/testudo-os/testudo/pkg/layout"
)

// What people declare and choose on a machine is in force after a reboot, key
// by key, and what is wrong with it changes nothing.
func TestServiceFilesOfOnesOwn(t *testing.T) {
	t.Parallel()
	const config = `testudo:
  services:
    profiles: [greeting]
    variables: {GREETING: good morning}
    declare:
      configured: {image: testudo/syslog, entrypoint: [/bin/sleep, "100000"], labels: {says: "${GREETING}"}, profiles: [greeting]}
`
	disk := newDisk(t, diskSize)
	first := boot(t, setup{disks: disks(disk), args: autoformat, cloudConfig: config})
	ros := first.login("ros")
	ros.waitReady(coreServices()...)

	ros.run("sudo mkdir -p " + layout.UserServices)
	ros.run("sudo chown ros " + layout.UserServices)
	ros.put(layout.UserServices+"/clock.yaml", "644", []byte("services: {ntp: {mem_limit: 56m}}\n"))
	ros.put(layout.UserServices+"/bad.yaml", "644", []byte("services: {syslog: {mem_limt: 1m}}\n"))

	if out, err := ros.try("ros service validate " + layout.UserServices + " 2>&1"); err == nil || !strings.Contains(out, `bad.yaml:1:21: services.syslog.mem_limt: unknown key (did you mean "mem_limit"?)`) {
		t.Errorf("validate: %v\n%s", err, out)
	}
	ros.run("ros service validate " + layout.UserServices + "/clock.yaml")
	if out := ros.run("ros config schema services | cmp - " + layout.ServiceSchema + " && echo same"); out != "same\n" {
		t.Errorf("the schema that ships: %s", out)
	}

	ros.run("ros service create hello --image testudo/syslog --entrypoint /bin/sleep --command 100000")
	if out, err := ros.try("ros service create bad --image 'no such name' 2>&1"); err == nil || !strings.Contains(out, "not the name of an image") {
		t.Errorf("create: %v\n%s", err, out)
	}
	ros.run("ros service enable httpd fstrim")
	ros.run("ros service disable acpid")
	ros.run("sudo sh -c 'mkdir /var/lib/testudo/www && echo found > /var/lib/testudo/www/page'")
	if _, err := ros.try("sudo ros poweroff"); err != nil && !isGone(err) {
		t.Log(err)
	}
	first.waitExit()

	second := boot(t, setup{disks: disks(disk), cloudConfig: config})
	ros = second.login("ros")
	all := ros.waitReady(append(without(coreServices(), "acpid"), "hello", "httpd", "fstrim", "configured")...)
	if s := all["acpid"]; s.State != api.StateDisabled || s.PID != 0 {
		t.Errorf("acpid is %s: %s", s.State, s.Reason)
	}
	if out := ros.run("ros service ls"); strings.Contains(out, "acpid") || !strings.Contains(out, "built-in < user ("+layout.UserServices+"/clock.yaml:1)") {
		t.Errorf("ros service ls says\n%s", out)
	}

	var ntp, configured struct {
		MemLimit int64
		Image    string
		Labels   map[string]string
		Origins  map[string]string
	}
	for name, into := range map[string]any{"ntp": &ntp, "configured": &configured} {
		if err := json.Unmarshal([]byte(ros.run("ros service inspect "+name)), into); err != nil {
			t.Fatal(err)
		}
	}
	if ntp.MemLimit != 56<<20 || ntp.Image != "testudo/ntp" || ntp.Origins["mem_limit"] != layout.UserServices+"/clock.yaml:1:18" ||
		!strings.HasPrefix(ntp.Origins["image"], layout.Services+"/ntp.yaml:") {
		t.Errorf("ntp: %+v", ntp)
	}
	if out := ros.run("cat /sys/fs/cgroup/system/ntp/memory.max"); strings.TrimSpace(out) != fmt.Sprint(56<<20) {
		t.Errorf("the kernel's limit for ntp is %s", out)
	}
	if configured.Labels["says"] != "good morning" {
		t.Errorf("configured: %+v", configured)
	}
	second.eventually(time.Minute, func() error {
		out, err := ros.try("wget -q -O - http://127.0.0.1:8080/page")
		if err == nil && out != "found\n" {
			err = fmt.Errorf("httpd says %q", out)
		}
		return err
	})
	second.eventually(time.Minute, func() error {
		if out := ros.run("ros service logs fstrim"); !strings.Contains(out, "trimmed") {
			return fmt.Errorf("fstrim says %q", out)
		}
		return nil
	})

	// The bad file of syslog changed nothing, and people are told.
	if s := all["syslog"]; !s.Ready || len(s.Layers) != 1 {
		t.Errorf("syslog: %+v", s)
	}
	status := ros.run("ros status")
	for _, want := range []string{"bad.yaml:1:21: services.syslog.mem_limt: unknown key", "syslog is as " + layout.Services + "/syslog.yaml:"} {
		if !strings.Contains(status, want) {
			t.Errorf("ros status does not say %q:\n%s", want, status)
		}
	}

	ros.run("ros service rm hello")
	if out, err := ros.try("test -e " + layout.UserServices + "/hello.yaml"); err == nil {
		t.Errorf("hello.yaml is still there: %s", out)
	}
}

func aPlainComposeFileIsAServiceOfTheUserRuntime(t *testing.T, m *machine) {
	ros := m.login("ros")
	ros.waitReady("console", "network", "docker")
	if _, err := ros.try("docker image inspect guest:1"); err != nil {
		ros.put("/tmp/image.tar", "644", dockerArchive(t))
		ros.run("docker load -i /tmp/image.tar")
	}
	ros.put("/tmp/web.yaml", "644", []byte(`services:
  web:
    image: guest:1
    command: [serve, ':80', declared]
    ports: ['8080:80']
    volumes: ['data:/data']
volumes: {data: {}}
`))
	ros.run("ros service validate /tmp/web.yaml")
	ros.run("ros service create web --file /tmp/web.yaml")
	ros.run("sudo kill $(pidof rosd)") // the next one reads it
	m.eventually(5*time.Minute, func() error {
		err := wantPage(m, 8080, "declared\n")
		if err != nil {
			all, _ := ros.services()
			err = fmt.Errorf("%w; compose is %s: %s", err, all["compose"].State, all["compose"].Reason)
		}
		return err
	})
	all := ros.waitReady("compose")
	if s := all["web"]; s.Image != "guest:1" || !strings.Contains(s.Reason, "docker compose -p testudo ps") {
		t.Errorf("web: %+v", s)
	}
	if got := ros.run("docker compose -p testudo ps --format '{{.Service}}'"); got != "web\n" {
		t.Errorf("docker compose ps says %q", got)
	}
}
