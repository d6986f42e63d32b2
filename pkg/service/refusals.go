package service

// Keys of the Compose Specification that Testudo does not take, each with the
// reason and with what to do instead. TestEveryKeyOfCompose holds that no key
// is left out.

func refusal(reasons map[string]string, key string) string {
	if reason := reasons[key]; reason != "" {
		return "not supported: " + reason
	}
	return ""
}

const (
	noNetworks = "a service of the OS has the host's network (network_mode: host) or none; networks of their own are for the user runtime (docker compose)"
	noNamed    = "named volumes are for the user runtime (docker compose); bind a folder of the host (volumes: [/var/lib/testudo/NAME:/PATH])"
	noResolver = "every service has the machine's resolver file; bind /run/testudo/resolv:/run/testudo/resolv:ro, and set name servers in the configuration"
	noBuild    = "the OS runs images, it does not build them; build it elsewhere and name it under image"
	noRealtime = "the kernel has no real-time group scheduling; cap_add: [SYS_NICE] lets the service ask for a real-time priority itself"
	noWindows  = "it is for Windows containers; leave it out"
	noBlkio    = "input and output are not limited yet; leave it out"
)

var topRefusals = map[string]string{
	"name":     "services of the OS have no project name; leave it out",
	"networks": noNetworks,
	"volumes":  noNamed,
	"include":  "every *.yaml file in the services folder is read; leave it out",
	"models":   "the OS runs no language models; run them in the user runtime (docker compose)",
}

var serviceRefusals = map[string]string{
	"attach":             "nobody is attached to a service of the OS; `ros logs -f NAME` shows its output",
	"blkio_config":       noBlkio,
	"build":              noBuild,
	"cgroup_parent":      "each service is in the control group /system/NAME; leave it out",
	"container_name":     "the container has the service's name; rename the service",
	"cpu_count":          noWindows + "; cpus limits processors here",
	"cpu_percent":        noWindows + "; cpus limits processors here",
	"cpu_rt_period":      noRealtime,
	"cpu_rt_runtime":     noRealtime,
	"credential_spec":    noWindows,
	"develop":            noBuild,
	"dns":                noResolver,
	"dns_opt":            noResolver,
	"dns_search":         noResolver,
	"domainname":         "the domain is part of the machine's name; set `hostname` in the configuration and use uts: host",
	"expose":             noNetworks + "; with network_mode: host every port is reached as it is",
	"external_links":     noNetworks,
	"extra_hosts":        "names are the resolver's; write /etc/hosts with write_files and bind it (volumes: [/etc/hosts:/etc/hosts:ro])",
	"gpus":               "there is no GPU runtime; name the nodes under devices (/dev/dri/renderD128)",
	"isolation":          noWindows,
	"label_file":         "labels stand in the service file; write them under labels",
	"links":              noNetworks,
	"mac_address":        noNetworks,
	"mem_swappiness":     "control groups of version 2 do not have it; memswap_limit bounds what may be swapped out",
	"models":             "the OS runs no language models; run them in the user runtime (docker compose)",
	"networks":           noNetworks,
	"oom_kill_disable":   "control groups of version 2 do not have it; oom_score_adj says who goes last",
	"platform":           "the machine runs images of its own architecture only; leave it out",
	"ports":              noNetworks + "; with network_mode: host every port is reached as it is",
	"post_start":         "make it a service of its own that waits for this one (depends_on, x-ros: {ready: exit})",
	"pre_stop":           "let the service do it on its stop_signal, within its stop_grace_period",
	"provider":           "the OS calls no programs to make services; run it in the user runtime (docker compose)",
	"pull_refresh_after": "images of the OS change with its release; leave it out",
	"runtime":            "every service is run by runc; leave it out",
	"scale":              "each service runs once on this machine; declare a second one that extends it",
	"storage_opt":        "a service's own layer has no limit of its own; read_only: true, tmpfs with a size, or x-ros.persistent: false bound it",
	"use_api_socket":     "it is Docker's; bind /run/docker:/run/docker instead",
	"volumes_from":       "each service names its own folders; list them under volumes",
}

var objectRefusals = map[string]string{
	"content":         "write the file with write_files in the configuration and name it under file",
	"environment":     "a secret in the environment is seen by many; write the file with write_files and name it under file",
	"external":        "there is no store of configs and secrets; name a file under file",
	"name":            "it is known by its key; leave it out",
	"labels":          "it is a file; leave them out",
	"driver":          "it is a file; leave it out",
	"driver_opts":     "it is a file; leave it out",
	"template_driver": "it is a file; leave it out",
}

const ownMode = "the file is bound as it is on the host; set its owner and mode there (write_files: owner, permissions)"

var grantRefusals = map[string]string{"uid": ownMode, "gid": ownMode, "mode": ownMode}
