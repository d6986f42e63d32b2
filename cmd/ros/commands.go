package main

import "github.com/testudo-os/testudo/pkg/api"

// root is the table of everything ros can do.
func root() *command {
	return &command{name: "ros", sub: []*command{
		{name: "service", sub: []*command{
			{name: "ls", summary: "List all services and their images", flags: plain(serviceList)},
			{name: "ps", summary: "Show what services do, and why", flags: plain(servicePS)},
			{name: "logs", args: "SERVICE", summary: "Show a service's output", min: 1, max: 1, services: true, flags: serviceLogs},
			{name: "start", args: "SERVICE...", summary: "Start services", min: 1, max: -1, services: true, flags: plain(serviceDo(api.VerbStart))},
			{name: "stop", args: "SERVICE...", summary: "Stop services", min: 1, max: -1, services: true, flags: plain(serviceDo(api.VerbStop))},
			{name: "restart", args: "SERVICE...", summary: "Stop services and start them again", min: 1, max: -1, services: true, flags: plain(serviceDo(api.VerbRestart))},
			{name: "inspect", args: "SERVICE", summary: "Show a service as resolved, in JSON", min: 1, max: 1, services: true, flags: plain(serviceInspect)},
		}},
		{name: "os", sub: []*command{
			{name: "version", summary: "Say which release runs", flags: plain(osVersion)},
		}},
		{name: "status", summary: "Say how the machine is; exit code 1 when not healthy", flags: plain(status)},
		{name: "logs", summary: "Show the output of all services", flags: allLogs},
		{name: "boot", sub: []*command{
			{name: "blame", summary: "List the steps of the boot, the longest first", flags: plain(bootBlame)},
			{name: "chart", summary: "Draw the steps of the boot over time", flags: plain(bootChart)},
		}},
		{name: "config", sub: []*command{
			{name: "export", summary: "Show the configuration in force, without secrets", flags: plain(configExport)},
			{name: "validate", args: "FILE", summary: "Check a configuration file (- for standard input)", min: 1, max: 1, flags: plain(configValidate)},
		}},
		{name: "reboot", summary: "Stop everything in order and start the machine again", flags: plain(power("reboot"))},
		{name: "poweroff", summary: "Stop everything in order and switch the machine off", flags: plain(power("poweroff"))},
		{name: "halt", summary: "Stop everything in order and leave the machine on", flags: plain(power("halt"))},
		{name: "completion", sub: []*command{
			{name: "bash", summary: "Print the completion script for bash", flags: plain(completionBash)},
		}},
		{name: completeVerb, hidden: true, max: -1, flags: plain(complete)},
	}}
}
