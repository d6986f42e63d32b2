package main

import "github.com/testudo-os/testudo/pkg/api"

// root is the table of everything ros can do.
func root() *command {
	text := []string{"text", "json"}
	return &command{name: "ros", sub: []*command{
		{name: "service", sub: []*command{
			{
				name: "ls", summary: "List services, their images and what declares them",
				example: "ros service ls --all", flags: serviceList,
			},
			{
				name: "ps", args: "[SERVICE...]", summary: "Show what services do, and why; of those named, also what happened to them", max: -1, services: true,
				example: "ros service ps network", flags: plain(servicePS),
			},
			{
				name: "logs", args: "SERVICE...", summary: "Show what services say", min: 1, max: -1, services: true, formats: text,
				example: "ros service logs -f --since 10m network", flags: serviceLogs,
			},
			{
				name: "up", args: "[SERVICE...]", summary: "Apply edited service files by the smallest set of actions", max: -1, services: true,
				example: "ros service up --dry-run", flags: serviceUp,
			},
			{
				name: "start", args: "SERVICE...", summary: "Start services", min: 1, max: -1, services: true,
				example: "ros service start network", flags: plain(serviceDo(api.VerbStart)),
			},
			{
				name: "stop", args: "SERVICE...", summary: "Stop services", min: 1, max: -1, services: true,
				example: "ros service stop network", flags: plain(serviceDo(api.VerbStop)),
			},
			{
				name: "restart", args: "SERVICE...", summary: "Stop services and start them again", min: 1, max: -1, services: true,
				example: "ros service restart network", flags: plain(serviceDo(api.VerbRestart)),
			},
			{
				name: "kill", args: "SERVICE", summary: "Send a signal to a service's first process", min: 1, max: 1, services: true,
				example: "ros service kill -s SIGHUP network", flags: serviceKill,
			},
			{
				name: "pull", args: "SERVICE...", summary: "Fetch the images that services name", min: 1, max: -1, services: true,
				example: "ros service pull network", flags: plain(servicePull),
			},
			{
				name: "upgrade", args: "SERVICE", summary: "Move a service to a new image, and back if that does not stay healthy", min: 1, max: 1, services: true,
				example: "ros service upgrade network --window 1m", flags: serviceUpgrade,
			},
			{
				name: "rollback", args: "SERVICE", summary: "Move a service back to the image before", min: 1, max: 1, services: true,
				example: "ros service rollback network", flags: plain(serviceRollback),
			},
			{
				name: "inspect", args: "SERVICE", summary: "Show a service as resolved, in JSON", min: 1, max: 1, services: true,
				example: "ros service inspect network", flags: plain(serviceInspect),
			},
			{
				name: "validate", args: "FILE|DIR", summary: "Check service files without a running system", min: 1, max: 1,
				example: "ros service validate web.yaml", flags: serviceValidate,
			},
			{
				name: "create", args: "NAME", summary: "Write a service file of your own, if it is valid", min: 1, max: 1,
				example: "ros service create web --image testudo/syslog --command sleep --command 60", flags: serviceCreate,
			},
			{
				name: "rm", args: "SERVICE...", summary: "Remove service files of your own", min: 1, max: -1, services: true,
				example: "ros service rm web", flags: plain(serviceRemove),
			},
			{
				name: "enable", args: "SERVICE...", summary: "Have services run", min: 1, max: -1, services: true,
				example: "ros service enable httpd", flags: plain(serviceChoose(true)),
			},
			{
				name: "disable", args: "SERVICE...", summary: "Have services not run", min: 1, max: -1, services: true,
				example: "ros service disable acpid", flags: plain(serviceChoose(false)),
			},
		}},
		{name: "network", sub: []*command{
			{
				name: "status", summary: "Show interfaces, addresses, leases, routes and names; fails when not online", formats: text,
				example: "ros network status", flags: plain(networkStatus),
			},
			{
				name: "watch", summary: "Show the network whenever it changes", formats: text,
				example: "ros network watch", flags: plain(networkWatch),
			},
			{
				name: "diag", summary: "Show step by step why the machine is not online", formats: text,
				example: "ros network diag", flags: plain(networkDiag),
			},
		}},
		{name: "image", sub: []*command{
			{
				name: "ls", summary: "List the images that did not come with the release",
				example: "ros image ls", flags: plain(imageList),
			},
			{
				name: "import", args: "FILE|DIR", summary: "Take in an image from an OCI image layout, or a tar archive of one", min: 1, max: 1,
				example: "ros image import web.tar --as local/web:1", flags: imageImport,
			},
			{
				name: "rm", args: "IMAGE...", summary: "Forget images that no service needs", min: 1, max: -1,
				example: "ros image rm local/web:1", flags: plain(imageRemove),
			},
		}},
		{name: "os", sub: []*command{
			{
				name: "version", summary: "Say which release runs",
				example: "ros os version", flags: plain(osVersion),
			},
		}},
		{
			name: "status", summary: "Say how the machine is; exit code 1 when not healthy, or its configuration is refused",
			example: "ros status", flags: plain(status),
		},
		{
			name: "logs", args: "[SERVICE...]", summary: "Show logs: of services, of the kernel, of rosd", max: -1, services: true, formats: text,
			example: "ros logs --boot -1 --priority warning kernel docker", flags: allLogs,
		},
		{
			name: "events", summary: "Show what happens to services", formats: text,
			example: "ros events -f", flags: showEvents,
		},
		{
			name: "top", summary: "Show what services use: processor, memory, disk, processes",
			example: "ros top --sort memory", flags: top,
		},
		{name: "boot", sub: []*command{
			{
				name: "blame", summary: "List the steps of the boot, the longest first, and what they waited for",
				example: "ros boot blame", flags: plain(bootBlame),
			},
			{
				name: "chart", summary: "Draw the boot: as text on a terminal, else as SVG", formats: []string{"auto", "text", "svg", "json"},
				example: "ros boot chart > boot.svg", flags: plain(bootChart),
			},
		}},
		{name: "config", sub: []*command{
			{
				name: "get", args: "[KEY]", summary: "Show the configuration in force, or one key of it, without secrets", max: 1, formats: text,
				example: "ros config get testudo.console.autologin", flags: configGet,
			},
			{
				name: "set", args: "KEY VALUE", summary: "Set a key in the machine's own file; comments in it stay", min: 2, max: 2,
				example: "ros config set hostname tortoise", flags: plain(configSet),
			},
			{
				name: "unset", args: "KEY", summary: "Take a key out of the machine's own file", min: 1, max: 1,
				example: "ros config unset ntp.servers", flags: plain(configUnset),
			},
			{
				name: "merge", args: "FILE", summary: "Lay a file over the machine's own (- for standard input)", min: 1, max: 1,
				example: "ros config merge cloud-config.yaml", flags: plain(configMerge),
			},
			{
				name: "edit", summary: "Edit the machine's own file; one with mistakes is not taken",
				example: "ros config edit", flags: plain(configEdit),
			},
			{
				name: "diff", args: "[ENTRY [ENTRY]]", summary: "Show what `apply` would change; or how two states of the machine's files differ", max: 2, formats: text,
				example: "ros config diff 3", flags: plain(configDiff),
			},
			{
				name: "apply", summary: "Put the changed configuration in force, as far as it changed",
				example: "ros config apply --try 2m", flags: configApply,
			},
			{
				name: "confirm", summary: "Keep what `apply --try` put in force",
				example: "ros config confirm", flags: plain(configConfirm),
			},
			{
				name: "history", summary: "List the states of the machine's files, and what led to each",
				example: "ros config history", flags: plain(configHistory),
			},
			{
				name: "rollback", args: "[ENTRY]", summary: "Put an earlier state of the machine's files in force", max: 1,
				example: "ros config rollback", flags: plain(configRollback),
			},
			{
				name: "export", summary: "Show the configuration in force as a file, without secrets", formats: text,
				example: "ros config export --full > machine.yaml", flags: configExport,
			},
			{
				name: "validate", args: "FILE", summary: "Check a configuration file (- for standard input)", min: 1, max: 1,
				example: "ros config validate cloud-config.yaml", flags: plain(configValidate),
			},
			{
				name: "import", args: "FILE", summary: "Translate a configuration of RancherOS, and say what became of each key", min: 1, max: 1, formats: text,
				example: "ros config import cloud-config.yaml > new.yaml", flags: plain(configImport),
			},
			{
				name: "schema", args: "[config|services]", summary: "Print the JSON Schema of configuration files, or of service files", max: 1,
				example: "ros config schema > config.json", flags: plain(configSchema),
			},
		}},
		{
			name: "reboot", summary: "Stop everything in order and start the machine again",
			example: "ros reboot", flags: plain(power("reboot")),
		},
		{
			name: "poweroff", summary: "Stop everything in order and switch the machine off",
			example: "ros poweroff", flags: plain(power("poweroff")),
		},
		{
			name: "halt", summary: "Stop everything in order and leave the machine on",
			example: "ros halt", flags: plain(power("halt")),
		},
		{name: "completion", sub: []*command{
			{
				name: "bash", summary: "Print the completion script for bash",
				example: "source <(ros completion bash)", flags: plain(completion(bashScript)),
			},
			{
				name: "zsh", summary: "Print the completion script for zsh",
				example: "source <(ros completion zsh)", flags: plain(completion(zshScript)),
			},
		}},
		{name: completeVerb, hidden: true, max: -1, flags: plain(complete)},
	}}
}
