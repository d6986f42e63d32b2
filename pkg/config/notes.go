package config

import (
	"fmt"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/testudo-os/testudo/pkg/strictyaml"
)

// Note tells of a key of cloud-init's that is taken and means nothing here.
type Note struct {
	File         string
	Line, Column int
	Path         string
	Message      string // what to do instead
}

// String renders the note as errors are rendered.
func (n Note) String() string {
	return strictyaml.Error{File: n.File, Line: n.Line, Column: n.Column, Path: n.Path, Message: "has no effect: " + n.Message}.Error()
}

const (
	noPackages = "there are no packages; run programs in containers (testudo.services.declare, or docker)"
	noAgent    = "configuration managers find nothing to manage here; run one in a container if it manages something else"
	noDistro   = "it belongs to another distribution; leave it out"
	noModules  = "what is done at a boot, and when, is fixed; leave it out"
)

// foreign are cloud-init's keys at the top that make no sense here.
var foreign = map[string]string{
	"packages": noPackages, "package_update": noPackages, "package_upgrade": noPackages, "package_reboot_if_required": noPackages,
	"apt": noPackages, "apt_pipelining": noPackages, "apt_update": noPackages, "apt_upgrade": noPackages, "apt_reboot_if_required": noPackages,
	"apk_repos": noPackages, "yum_repos": noPackages, "yum_repo_dir": noPackages, "zypper": noPackages, "snap": noPackages, "updates": noPackages,
	"drivers": "drivers are part of the release; testudo.modules loads them",

	"ansible": noAgent, "chef": noAgent, "puppet": noAgent, "salt_minion": noAgent, "mcollective": noAgent, "landscape": noAgent,
	"spacewalk": noAgent, "lxd": "containers are Docker's here; leave it out", "fan": noDistro,

	"rh_subscription": noDistro, "ubuntu_advantage": noDistro, "ubuntu_pro": noDistro, "autoinstall": noDistro, "rpi": noDistro,
	"byobu_by_default": noDistro, "grub_dpkg": noDistro, "grub-dpkg": noDistro, "migrate": noDistro, "system_info": noDistro,
	"disable_ec2_metadata": "no service here passes requests to it on; bind it off in a firewall",

	"cloud_init_modules": noModules, "cloud_config_modules": noModules, "cloud_final_modules": noModules,
	"launch-index": "all machines of a launch get the same; leave it out", "merge_how": "docs/configuration.md says how sources are merged",
	"merge_type": "docs/configuration.md says how sources are merged", "version": "leave it out",
	"output": "what commands print is in `ros logs console`", "reporting": "`phone_home` reports; logs are sent by testudo.logging.remote",
	"rsyslog": "logs are sent by testudo.syslog.remote and testudo.logging.remote",

	"ssh_import_id":             "keys are not fetched from others; list them in ssh_authorized_keys",
	"ssh_genkeytypes":           "an Ed25519 and an ECDSA key are made",
	"ssh_quiet_keygen":          "leave it out",
	"ssh_publish_hostkeys":      "host keys are not published; `phone_home` tells them",
	"ssh_fp_console_blacklist":  "fingerprints are not shown on the console",
	"ssh_key_console_blacklist": "keys are not shown on the console",
	"no_ssh_fingerprints":       "fingerprints are not shown on the console",
	"authkey_hash":              "fingerprints are not shown on the console",
	"allow_public_ssh_keys":     "keys of the datasource are always taken; leave it out",
	"ssh":                       "keys are not shown on the console",
	"keyboard":                  "there is one keyboard layout, us; logins by ssh have their own",
	"locale_configfile":         "leave it out",
	"create_hostname_file":      "the name is set anew at each boot; leave it out",
	"manage_resolv_conf":        "resolv.conf is always made from the network's settings",
	"wireguard":                 "it is a matter of the network's configuration",
}

// foreignOfUser are those of a user.
var foreignOfUser = map[string]string{
	"ssh_import_id": "keys are not fetched from others; list them in ssh_authorized_keys",
	"snapuser":      noDistro, "selinux_user": "there is no SELinux; leave it out",
	"doas": "there is no doas; use sudo", "no_log_init": "there is no faillog; leave it out",
	"create_groups": "groups that are missing are always made",
}

// foreignOfNTP are those of `ntp`.
var foreignOfNTP = map[string]string{
	"ntp_client": "the client is chrony", "config": "the client is chrony, and is configured by ntp's other keys",
	"allow": "the client serves nobody",
}

// setAside takes keys that mean nothing here out of a document, and spells
// those that cloud-init also takes with a hyphen as they are known.
func setAside(file string, doc *yaml.Node) []Note {
	if doc.Kind == yaml.DocumentNode {
		if len(doc.Content) != 1 {
			return nil
		}
		doc = doc.Content[0]
	}
	if doc.Kind != yaml.MappingNode {
		return nil
	}
	s := &aside{file: file}
	s.from(doc, "", foreign)
	for i := 0; i+1 < len(doc.Content); i += 2 {
		key, value := doc.Content[i], strictyaml.Resolve(doc.Content[i+1])
		switch key.Value {
		case "ca-certs":
			key.Value = "ca_certs"
			spell(value)
		case "ca_certs":
			spell(value)
		case "locale":
			if value.Kind == yaml.ScalarNode && !slices.Contains(locales, value.Value) {
				s.notes = append(s.notes, Note{File: file, Line: key.Line, Column: key.Column, Path: "locale",
					Message: "the locales here are " + strings.Join(locales, ", ") + ": programs speak English, in UTF-8"})
				value.Kind, value.Tag, value.Value = yaml.ScalarNode, "!!str", ""
			}
		case "resolv_conf":
			s.from(value, "resolv_conf", map[string]string{"sortlist": "addresses are not sorted; leave it out"})
		case "ntp":
			s.from(value, "ntp", foreignOfNTP)
		case "user":
			s.user(value, "user")
		case "users":
			for j, u := range value.Content {
				s.user(strictyaml.Resolve(u), "users["+fmt.Sprint(j)+"]")
			}
		}
	}
	return s.notes
}

// locales are those of the console's image.
var locales = []string{"C.UTF-8", "C.utf8", "C", "POSIX"}

type aside struct {
	file  string
	notes []Note
}

func (s *aside) user(n *yaml.Node, path string) {
	spell(n)
	s.from(n, path, foreignOfUser)
}

// spell turns hyphens in keys into what is known.
func spell(n *yaml.Node) {
	if n.Kind != yaml.MappingNode {
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if key := n.Content[i]; !strings.HasPrefix(key.Value, "x-") {
			key.Value = strings.ReplaceAll(key.Value, "-", "_")
		}
	}
}

func (s *aside) from(n *yaml.Node, path string, drop map[string]string) {
	if n.Kind != yaml.MappingNode {
		return
	}
	for i := 0; i+1 < len(n.Content); {
		key := n.Content[i]
		message, here := drop[key.Value]
		if !here {
			i += 2
			continue
		}
		at := key.Value
		if path != "" {
			at = path + "." + at
		}
		s.notes = append(s.notes, Note{File: s.file, Line: key.Line, Column: key.Column, Path: at, Message: message})
		n.Content = slices.Delete(n.Content, i, i+2)
	}
}
