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
				name: "exec", args: "SERVICE COMMAND [ARG...]", summary: "Run a program in a service, with the service's limits; the exit code is the program's", min: 2, max: -1, services: true,
				formats: []string{"text"}, example: "ros service exec -it network sh", flags: serviceExec,
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
				example: "ros service rm --now web", flags: serviceRemove,
			},
			{
				name: "enable", args: "SERVICE...", summary: "Have services run", min: 1, max: -1, services: true,
				example: "ros service enable --now httpd", flags: serviceChoose(true),
			},
			{
				name: "disable", args: "SERVICE...", summary: "Have services not run", min: 1, max: -1, services: true,
				example: "ros service disable --now acpid", flags: serviceChoose(false),
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
			name: "status", summary: "Say how the machine is; exit code 1 when not healthy",
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
				name: "export", summary: "Show the configuration in force, without secrets",
				example: "ros config export", flags: plain(configExport),
			},
			{
				name: "validate", args: "FILE", summary: "Check a configuration file (- for standard input)", min: 1, max: 1,
				example: "ros config validate cloud-config.yaml", flags: plain(configValidate),
			},
			{name: "schema", sub: []*command{
				{
					name: "services", summary: "Print the JSON Schema of service files",
					example: "ros config schema services > services.json", flags: plain(schemaServices),
				},
			}},
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
