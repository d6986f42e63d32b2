package rancher

import (
	"strings"
	"testing"

	"github.com/testudo-os/testudo/pkg/config"
)

const machine = `#cloud-config
hostname: old
ssh_authorized_keys: [ssh-rsa AAAA1 me]
write_files:
  - path: /etc/ntp.conf
    container: ntp
    content: server x
  - {path: /etc/motd, content: hello, owner: root, permissions: "0644"}
mounts: [["/dev/vdb", "/mnt/data", "ext4", ""]]
runcmd: [[touch, /x], "echo y"]
rancher:
  console: ubuntu
  environment: {PORT: 80}
  modules: [nbd nbds_max=8]
  sysctl: {fs.file-max: 1000000}
  password: geheim
  ssh: {port: 2222, keys: {rsa: X, dsa: Y}}
  docker:
    registry_mirror: https://m.example
    insecure_registry: [r.example:5000]
    tls: true
  registry_auths:
    https://index.docker.io/v1/: {auth: dTpw}
  services:
    web:
      image: nginx
      net: host
      volumes_from: [all-volumes]
      labels: {io.rancher.os.scope: system, io.rancher.os.after: "network, docker", io.rancher.os.detach: "false", mine: kept}
    app: {image: app, labels: [io.rancher.os.createonly=true]}
  state: {dev: LABEL=RANCHER_STATE, autoformat: [/dev/sda]}
  network: {interfaces: {eth0: {dhcp: true}}}
  nonsense: 1
`

func TestTranslate(t *testing.T) {
	r, err := Translate("old.yml", []byte(strings.Replace(machine, ", keys: {rsa: X, dsa: Y}", "", 1)))
	if err != nil {
		t.Fatalf("%v\n%s", err, r.Text)
	}
	c, err := config.Parse("new.yaml", []byte(r.Text))
	if err != nil {
		t.Fatal(err)
	}
	if c.Hostname != "old" || c.Testudo.Sysctl["fs.file-max"] != "1000000" || c.Testudo.Modules[0].Params != "nbds_max=8" ||
		c.Testudo.Services.Variables["PORT"] != "80" || c.Password != "geheim" || c.Testudo.Docker.RegistryMirrors[0] != "https://m.example" {
		t.Errorf("got\n%s", r.Text)
	}
	if f := c.WriteFiles; len(f) != 3 || f[0].Service != "ntp" || f[1].Service != "" || f[2].Content != "Port 2222\n" {
		t.Errorf("files: %+v", f)
	}
	if a := c.Testudo.Registries; len(a) != 1 || a[0].Host != "docker.io" || a[0].Username != "u" || a[0].Password != "p" {
		t.Errorf("registries: %+v", a)
	}
	for _, want := range []string{"network_mode: host", "scope: system", "ready: exit", "condition: service_started", "mine: kept", "- never", "scope: user"} {
		if !strings.Contains(r.Text, want) {
			t.Errorf("%q is missing in\n%s", want, r.Text)
		}
	}
	report := map[string]Row{}
	for _, row := range r.Report {
		report[row.Key] = row
		if row.Outcome != Same && row.Message == "" {
			t.Errorf("%s: nothing is said", row.Key)
		}
		if strings.Contains(row.Message, "geheim") {
			t.Errorf("a secret is in the report: %+v", row)
		}
	}
	for key, want := range map[string]Outcome{
		"hostname": Same, "write_files[0]": Moved, "rancher.console": Gone, "rancher.sysctl": Moved, "rancher.password": Changed,
		"rancher.docker.tls": Gone, "rancher.services.web": Changed, "rancher.services.web.volumes_from": Gone, "rancher.services.web.net": Moved,
		"rancher.services.web.labels.io.rancher.os.scope": Moved, "rancher.state.dev": Changed, "rancher.state.autoformat": Moved,
		"rancher.network": Gone, "rancher.nonsense": Gone,
	} {
		if got := report[key].Outcome; got != want {
			t.Errorf("%s: got %q, want %q", key, got, want)
		}
	}
}

func TestWhatIsImpossibleHereIsAnErrorWithItsKey(t *testing.T) {
	_, err := Translate("old.yml", []byte(machine))
	if err == nil || !strings.Contains(err.Error(), "ssh_keys.rsa_private: want a private key") {
		t.Errorf("got %v", err)
	}
	if _, err := Translate("old.yml", []byte("- a\n")); err == nil || !strings.Contains(err.Error(), "old.yml:1:1") {
		t.Errorf("got %v", err)
	}
}

func FuzzTranslate(f *testing.F) {
	f.Add(machine)
	f.Fuzz(func(t *testing.T, text string) {
		r, err := Translate("f", []byte(text))
		if err == nil {
			if _, err := config.Parse("f", []byte(r.Text)); err != nil {
				t.Fatal(err)
			}
		}
	})
}
