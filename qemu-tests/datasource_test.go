package qemutests

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/testudo-os/testudo/pkg/api"
	"github.com/testudo-os/testudo/pkg/qemu"
)

// sources is `ros config sources`.
func (s *session) sources() api.Sources {
	s.m.t.Helper()
	var got api.Sources
	out := s.run("ros config sources --all --format json")
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		s.m.t.Fatalf("%v: %s", err, out)
	}
	return got
}

// source is one row of it.
func source(t *testing.T, got api.Sources, name string) api.Source {
	t.Helper()
	for _, s := range got.Sources {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("no source %s in %+v", name, got)
	return api.Source{}
}

// A machine without disks and volumes is told by QEMU itself who may log in,
// and then, at its second boot, by a web server that its serial number names.
func TestUserDataFromTheHypervisorAndFromAURL(t *testing.T) {
	t.Parallel()
	key := getHost(t).key.Public
	disk := newDisk(t, diskSize)
	file := filepath.Join(t.TempDir(), "user-data")
	archive := "#cloud-config-archive\n- |\n  #cloud-config\n  hostname: fromqemu\n  ssh_authorized_keys: ['" + key + "']\n" +
		"- filename: mark\n  content: |\n    #!/bin/sh\n    echo script >> /root/marks\n- |\n  ## template: jinja\n  #!/bin/sh\n  echo instance {{ v1.instance_id }} >> /root/marks\n"
	if err := os.WriteFile(file, []byte(archive), 0o644); err != nil {
		t.Fatal(err)
	}
	oem := base64.StdEncoding.EncodeToString([]byte("#cloud-config\nhostname: fromsmbios\n"))
	first := boot(t, setup{noSeed: true, disks: disks(disk), args: autoformat, extra: []string{
		"-fw_cfg", "name=opt/io.testudo/user-data,file=" + file, "-fw_cfg", "name=opt/io.testudo/meta-data,string=instance-id: i-qemu",
		"-smbios", "type=11,value=io.testudo.credential.binary:user-data=" + oem,
	}})
	ros := first.login("ros")
	ros.waitReady(coreServices()...)
	if name := strings.TrimSpace(ros.run("hostname")); name != "fromqemu" {
		t.Errorf("the machine is called %q", name)
	}
	first.until("sudo cat /root/marks", "script\ninstance i-qemu\n")
	got := ros.sources()
	if got.Used != "fw_cfg (opt/io.testudo/)" || got.Instance != "i-qemu" || source(t, got, "smbios").Result != "not needed: one before it had data" || got.Pending != "" {
		t.Errorf("sources: %+v", got)
	}
	if s := source(t, got, "ec2"); s.State != api.SourcePassed || s.Reason == "" {
		t.Errorf("EC2: %+v", s)
	}
	if _, err := ros.try("sudo ros poweroff"); err != nil && !isGone(err) {
		t.Log(err)
	}
	first.waitExit()

	port := serveOn(t, "127.0.0.1:0", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answers := map[string]string{
			"/SN-7/meta-data": "instance-id: i-web\nlocal-hostname: frommeta\n",
			"/SN-7/user-data": "#include\nhttp://" + r.Host + "/more\n",
			"/more":           "#cloud-config\nhostname: fromweb\nssh_authorized_keys: ['" + key + "']\nruncmd: [echo runcmd >> /root/marks]\n",
		}
		text, ok := answers[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		_, _ = io.WriteString(w, text)
	}))
	// Kept data are this machine's, and name another instance: they count until
	// the server answers.
	second := boot(t, setup{noSeed: true, disks: disks(disk), network: qemu.UserNet, extra: []string{
		"-smbios", fmt.Sprintf("type=1,serial=ds=nocloud;s=http://10.0.2.2:%d/SN-7/", port),
	}})
	second.until("hostname", "fromweb\n")
	second.until("sudo cat /root/marks", "script\ninstance i-qemu\nruncmd\n")
	if got := second.login("ros").sources(); !strings.HasPrefix(got.Used, "nocloud (http://10.0.2.2:") || got.Instance != "i-web" || got.Kept || got.Request != "serial number in SMBIOS" {
		t.Errorf("sources: %+v", got)
	}
}

// EC2's metadata service is at the address it has there: QEMU runs in a network
// namespace in which that address is ours, and connects to it for its guest.
func TestMetadataOfACloudAndABootWithoutIt(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root for a network namespace")
	}
	key := getHost(t).key.Public
	inNamespaceWith(t, "169.254.169.254/32")
	var answers, tokens atomic.Int32
	var down atomic.Bool
	serveOn(t, "169.254.169.254:80", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		const header = "X-aws-ec2-metadata-token"
		switch {
		case down.Load():
			w.WriteHeader(http.StatusServiceUnavailable)
		case r.URL.Path == "/latest/api/token" && r.Method == http.MethodPut && r.Header.Get(header+"-ttl-seconds") != "":
			tokens.Add(1)
			_, _ = io.WriteString(w, "TOKEN")
		case r.Header.Get(header) != "TOKEN":
			w.WriteHeader(http.StatusUnauthorized)
		default:
			text, ok := map[string]string{
				"/latest/meta-data/instance-id":                 "i-0123456789abcdef0",
				"/latest/meta-data/local-hostname":              "frommeta",
				"/latest/meta-data/placement/availability-zone": "eu-west-1a",
				"/latest/meta-data/public-keys/":                "0=mine",
				"/latest/meta-data/public-keys/0/openssh-key":   key,
				"/latest/user-data":                             "## template: jinja\n#cloud-config\nruncmd: [echo {{ v1.availability_zone }} >> /root/marks]\n",
			}[r.URL.Path]
			if !ok {
				http.NotFound(w, r)
				return
			}
			answers.Add(1)
			_, _ = io.WriteString(w, text)
		}
	}))
	disk := newDisk(t, diskSize)
	cloud := func(args string) setup {
		return setup{noSeed: true, disks: disks(disk), network: qemu.UserNet, args: args, extra: []string{"-smbios", "type=1,manufacturer=Amazon EC2,product=t3.micro"}}
	}
	first := boot(t, cloud(autoformat))
	first.until("sudo cat /root/marks", "eu-west-1a\n") // logged in by the key of the metadata
	ros := first.login("ros")
	if name := strings.TrimSpace(ros.run("hostname")); name != "frommeta" {
		t.Errorf("the machine is called %q", name)
	}
	if got := ros.sources(); got.Used != "ec2 (http://169.254.169.254)" || got.Instance != "i-0123456789abcdef0" || got.Kept || got.Pending != "" || len(got.Problems) > 0 {
		t.Errorf("sources: %+v", got)
	}
	if tokens.Load() != 1 || answers.Load() == 0 {
		t.Errorf("%d tokens, %d answers", tokens.Load(), answers.Load())
	}
	if _, err := ros.try("sudo ros poweroff"); err != nil && !isGone(err) {
		t.Log(err)
	}
	first.waitExit()

	down.Store(true)
	ros = boot(t, cloud("")).login("ros")
	got := ros.sources()
	if !got.Kept || got.Instance != "i-0123456789abcdef0" || !strings.Contains(got.Pending, "asking ec2") {
		t.Errorf("sources without the service: %+v", got)
	}
	ros.waitReady(coreServices()...)
	if out := ros.run("sudo cat /root/marks"); out != "eu-west-1a\n" {
		t.Errorf("the same instance did its commands again: %q", out)
	}
}

// until waits until a command prints what is wanted. Each try logs in anew: the
// console starts again when a datasource names a new instance.
func (m *machine) until(command, want string) {
	m.t.Helper()
	m.eventually(3*time.Minute, func() error {
		out, err := m.login("ros").try(command)
		if err == nil && out != want {
			err = fmt.Errorf("%s prints %q, want %q", command, out, want)
		}
		return err
	})
}

// serveOn serves until the test ends and gives the port.
func serveOn(t *testing.T, address string, h http.Handler) int {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: h}
	go func() { _ = server.Serve(l) }() // until Close
	t.Cleanup(func() { _ = server.Close() })
	return l.Addr().(*net.TCPAddr).Port
}

// inNamespaceWith moves this test's thread, and what it starts, into a network
// namespace of its own whose loopback has an address more. The thread ends with
// the test.
func inNamespaceWith(t *testing.T, address string) {
	t.Helper()
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatalf("make a network namespace: %v", err)
	}
	loopback, err := netlink.LinkByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	if err := netlink.LinkSetUp(loopback); err != nil {
		t.Fatal(err)
	}
	more, err := netlink.ParseAddr(address)
	if err != nil {
		t.Fatal(err)
	}
	if err := netlink.AddrAdd(loopback, more); err != nil {
		t.Fatal(err)
	}
}
