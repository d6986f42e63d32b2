package rancher

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/testudo-os/testudo/pkg/config"
	"github.com/testudo-os/testudo/pkg/strictyaml"
)

// Translate reads a RancherOS configuration. The error is that it is no YAML
// mapping, or that a value in it is impossible here: its findings then name
// keys of the translation.
func Translate(file string, data []byte) (*Result, error) {
	in := map[string]any{}
	if err := strictyaml.Decode(file, data, &in); err != nil {
		return nil, err
	}
	t := &translator{out: tree{}, result: &Result{Report: []Row{}}}
	t.top(in)
	slices.SortStableFunc(t.result.Report, func(a, b Row) int { return cmp.Compare(a.Key, b.Key) })
	text := config.Header + "\n"
	if len(t.out) > 0 {
		body, err := yaml.Marshal(map[string]any(t.out))
		if err != nil {
			return nil, fmt.Errorf("translate %s: %w", file, err)
		}
		text += string(body)
	}
	t.result.Text = text
	if _, err := config.Parse("the translation of "+file, []byte(text)); err != nil {
		return t.result, err
	}
	return t.result, nil
}

type tree map[string]any

// put sets a value at a path of keys.
func (t tree) put(value any, path ...string) {
	at := map[string]any(t)
	for _, key := range path[:len(path)-1] {
		next, ok := at[key].(map[string]any)
		if !ok {
			next = map[string]any{}
			at[key] = next
		}
		at = next
	}
	at[path[len(path)-1]] = value
}

type translator struct {
	out    tree
	result *Result
}

func (t *translator) say(o Outcome, key, format string, args ...any) {
	t.result.Report = append(t.result.Report, Row{Key: key, Outcome: o, Message: fmt.Sprintf(format, args...)})
}

func (t *translator) top(in map[string]any) {
	for _, key := range slices.Sorted(maps.Keys(in)) {
		value := in[key]
		switch key {
		case "hostname", "ssh_authorized_keys", "runcmd", "bootcmd", "mounts":
			t.out.put(value, key)
			t.say(Same, key, "")
		case "write_files":
			t.files(value)
		case "rancher":
			for _, name := range slices.Sorted(maps.Keys(mapping(value))) {
				t.rancher(name, mapping(value)[name])
			}
		default:
			// cloud-init's keys, which RancherOS ignored.
			t.out.put(value, key)
			t.say(Changed, key, "RancherOS ignored it; here it counts")
		}
	}
}

func (t *translator) files(value any) {
	var files []any
	for i, f := range list(value) {
		entry := maps.Clone(mapping(f))
		key := fmt.Sprintf("write_files[%d]", i)
		switch name := text(entry["container"]); name {
		case "", "console":
			t.say(Same, key, "")
		default:
			entry["service"] = service(name)
			t.say(Moved, key, "container: %s is service: %s", name, service(name))
		}
		delete(entry, "container")
		if path := text(entry["path"]); path == "/etc/rc.local" || strings.HasPrefix(path, "/opt/rancher") {
			t.say(Gone, key, "nothing runs %s: use runcmd, or bootcmd for each boot", path)
		}
		files = append(files, entry)
	}
	before, _ := t.out["write_files"].([]any)
	t.out.put(append(files, before...), "write_files")
}

// renamed are services whose names differ here.
var renamed = map[string]string{"udev-cold": "udev", "cloud-init-execute": "console", "cloud-init": "console"}

func service(name string) string { return cmp.Or(renamed[name], name) }

// gone are keys of rancher without an equal, and what to do.
var gone = map[string]string{
	"bootstrap": "the boot has no services of its own", "bootstrap_docker": "there is no such engine", "cloud_init_services": "the boot has no services of its own",
	"console": "there is one console; programs come in containers", "debug": "`ros logs` holds all there is to see", "log": "`ros logs` holds all there is to see",
	"defaults": "leave it out", "force_console_rebuild": "the console is new at each boot", "hypervisor_service": "declare the guest agent as a service",
	"preload_wait": "images are imported by `ros image import`", "recovery": "see docs/recover.md", "repositories": "services are files in /var/lib/testudo/services, or declared in the configuration",
	"rm_usr": "nothing is copied to the state disk", "no_sharedroot": "leave it out", "shutdown_timeout": "each service has its stop_grace_period",
	"system_docker": "services run in containerd, which needs no settings", "http_load_retries": "leave it out", "restart_services": "`ros config apply` restarts what has to be",
	"resize_device": "the state's file system grows by itself (resize_rootfs)",
	"network":       "write it as cloud-init's `network`: see docs/networking.md",
}

func (t *translator) rancher(name string, value any) {
	key := "rancher." + name
	moved := func(path ...string) {
		t.out.put(value, path...)
		t.say(Moved, key, "now %s", strings.Join(path, "."))
	}
	switch name {
	case "environment":
		variables := map[string]any{}
		for k, v := range mapping(value) {
			variables[k] = text(v)
		}
		t.out.put(variables, "testudo", "services", "variables")
		t.say(Changed, key, "now testudo.services.variables: a service sees one where its file says ${NAME}")
	case "modules":
		moved("testudo", "modules")
	case "sysctl":
		values := map[string]any{}
		for k, v := range mapping(value) {
			values[k] = text(v)
		}
		t.out.put(values, "testudo", "sysctl")
		t.say(Moved, key, "now testudo.sysctl")
	case "password":
		t.out.put(text(value), "password")
		t.say(Changed, key, "now password; the user is ros and no longer rancher")
	case "disable":
		t.say(Changed, key, "passwords and logins without asking are off unless the configuration turns them on")
	case "autoformat":
		t.say(Moved, key, "now the kernel argument testudo.state.autoformat=true")
	case "registry_auths":
		t.registries(mapping(value))
	case "ssh":
		t.ssh(mapping(value))
	case "docker":
		t.docker(mapping(value))
	case "services":
		t.services(mapping(value))
	case "services_include":
		t.include(mapping(value))
	case "state":
		t.state(mapping(value))
	case "cloud_init":
		t.say(Gone, key, "datasources are found by themselves")
	case "upgrade":
		t.say(Gone, key, "upgrades of the OS are told on the command line")
	default:
		if message, known := gone[name]; known {
			t.say(Gone, key, "%s", message)
			return
		}
		t.say(Gone, key, "RancherOS did not know it either")
	}
}

func (t *translator) registries(auths map[string]any) {
	var out []any
	for _, host := range slices.Sorted(maps.Keys(auths)) {
		auth := mapping(auths[host])
		user, password := text(auth["username"]), text(auth["password"])
		if both, err := base64.StdEncoding.DecodeString(text(auth["auth"])); err == nil && len(both) > 0 {
			user, password, _ = strings.Cut(string(both), ":")
		}
		name := strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(host, "https://"), "http://"), "/")
		name, _, _ = strings.Cut(name, "/")
		if name == "index.docker.io" {
			name = "docker.io"
		}
		out = append(out, map[string]any{"host": name, "username": user, "password": password})
		t.say(Changed, "rancher.registry_auths."+host, "now testudo.registries, for services of the system; docker has its own `docker login`")
	}
	t.out.put(out, "testudo", "registries")
}

func (t *translator) ssh(in map[string]any) {
	var lines string
	for _, name := range slices.Sorted(maps.Keys(in)) {
		key, value := "rancher.ssh."+name, in[name]
		switch name {
		case "keys":
			for _, k := range slices.Sorted(maps.Keys(mapping(value))) {
				kind, _, public := strings.Cut(k, "-") // rsa, rsa-pub
				if kind == "dsa" {
					t.say(Gone, key+"."+k, "OpenSSH takes no DSA keys any more")
					continue
				}
				half := "private"
				if public {
					half = "public"
				}
				t.out.put(text(mapping(value)[k]), "ssh_keys", kind+"_"+half)
				t.say(Moved, key+"."+k, "now ssh_keys.%s_%s", kind, half)
			}
		case "port":
			lines += "Port " + text(value) + "\n"
			t.say(Moved, key, "now a file for sshd by write_files")
		case "listen_address":
			lines += "ListenAddress " + text(value) + "\n"
			t.say(Moved, key, "now a file for sshd by write_files")
		case "daemon":
			t.say(Gone, key, "sshd always runs; without keys nobody can log in by it")
		default:
			t.say(Gone, key, "nothing here is its equal")
		}
	}
	if lines != "" {
		files, _ := t.out["write_files"].([]any)
		t.out.put(append(files, map[string]any{"path": "/etc/ssh/sshd_config.d/60-rancher.conf", "permissions": "0644", "content": lines}), "write_files")
	}
}

func (t *translator) docker(in map[string]any) {
	for _, name := range slices.Sorted(maps.Keys(in)) {
		key, value := "rancher.docker."+name, in[name]
		switch name {
		case "registry_mirror":
			t.out.put([]any{text(value)}, "testudo", "docker", "registry_mirrors")
			t.say(Moved, key, "now testudo.docker.registry_mirrors")
		case "insecure_registry":
			t.out.put(list(value), "testudo", "docker", "insecure_registries")
			t.say(Moved, key, "now testudo.docker.insecure_registries")
		case "engine":
			t.say(Gone, key, "the engine comes with the release")
		case "live_restore", "userland_proxy", "group", "graph", "pid_file", "exec_root", "restart":
			t.say(Gone, key, "it is fixed; see system-images/docker")
		default:
			t.say(Gone, key, "the engine's settings are fixed, but for mirrors and insecure registries")
		}
	}
}

func (t *translator) state(in map[string]any) {
	for _, name := range slices.Sorted(maps.Keys(in)) {
		key := "rancher.state." + name
		switch name {
		case "autoformat":
			t.say(Moved, key, "now the kernel argument testudo.state.autoformat=DEVICE")
		case "dev":
			t.say(Changed, key, "the state disk is the file system with the label TESTUDO_STATE")
		default:
			t.say(Gone, key, "the state disk is ext4 with the label TESTUDO_STATE; see docs/state.md")
		}
	}
}

func (t *translator) include(in map[string]any) {
	for _, name := range slices.Sorted(maps.Keys(in)) {
		t.say(Gone, "rancher.services_include."+name, "put its file, translated, into /var/lib/testudo/services")
	}
}

func mapping(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}

func list(v any) []any {
	if l, ok := v.([]any); ok {
		return l
	}
	if v == nil {
		return nil
	}
	return []any{v}
}

func text(v any) string {
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}
