package rancher

import (
	"maps"
	"slices"
	"strings"
)

// label is the beginning of RancherOS's own labels.
const label = "io.rancher.os."

// services translates services of the Compose format 1.
func (t *translator) services(in map[string]any) {
	declared := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(in)) {
		declared[name] = t.service("rancher.services."+name, mapping(in[name]))
	}
	t.out.put(declared, "testudo", "services", "declare")
}

// fromV1 are keys of format 1 by other names.
var fromV1 = map[string]string{"net": "network_mode", "log_driver": "", "log_opt": "", "volumes_from": "", "links": "", "external_links": "", "dockerfile": "", "build": "", "volume_driver": "", "memswap_limit": "memswap_limit"}

func (t *translator) service(key string, in map[string]any) map[string]any {
	out := map[string]any{}
	ros := map[string]any{"scope": "user"}
	for _, name := range slices.Sorted(maps.Keys(in)) {
		value := in[name]
		to, old := fromV1[name]
		switch {
		case name == "labels":
			t.labels(key, value, out, ros)
		case old && to == "":
			t.say(Gone, key+"."+name, "%s", map[bool]string{true: "name the folders under volumes", false: "leave it out, or see docs/service-files.md"}[name == "volumes_from"])
		case old:
			out[to] = value
			t.say(Moved, key+"."+name, "now %s", to)
		default:
			out[name] = value
		}
	}
	out["x-ros"] = ros
	t.say(Changed, key, "now testudo.services.declare, with scope %s; its image has to be in a registry, or imported", ros["scope"])
	return out
}

// labels translates a service's, a mapping or a list of NAME=VALUE.
func (t *translator) labels(key string, value any, out, ros map[string]any) {
	labels := maps.Clone(mapping(value))
	if labels == nil {
		labels = map[string]any{}
		for _, one := range list(value) {
			name, v, _ := strings.Cut(text(one), "=")
			labels[name] = v
		}
	}
	kept := map[string]any{}
	after := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		v, at := text(labels[name]), key+".labels."+name
		switch name {
		case label + "scope":
			if v == "system" {
				ros["scope"] = "system"
			}
			t.say(Moved, at, "now x-ros: {scope: %s}", ros["scope"])
		case label + "after":
			for word := range strings.SplitSeq(v, ",") {
				word = service(strings.TrimSpace(word))
				after[word] = map[string]any{"condition": "service_started", "required": false}
			}
			t.say(Moved, at, "now depends_on")
		case label + "before":
			t.say(Gone, at, "say so with depends_on in the other service")
		case label + "detach":
			if v == "false" {
				ros["ready"] = "exit"
				t.say(Moved, at, "now x-ros: {ready: exit}")
			} else {
				t.say(Same, at, "it is the default")
			}
		case label + "createonly":
			out["profiles"] = []any{"never"}
			t.say(Changed, at, "now a profile that is not active")
		case "cron.schedule":
			t.say(Gone, at, "write it as x-ros.schedule; the fields of crontab(5) begin with minutes, not seconds")
		case label + "reloadconfig", label + "console", "io.docker.compose.rebuild":
			t.say(Gone, at, "leave it out: services are made anew when their declaration changes")
		default:
			if strings.HasPrefix(name, "io.rancher.") {
				t.say(Gone, at, "nothing here is its equal")
				continue
			}
			kept[name] = labels[name]
		}
	}
	if len(kept) > 0 {
		out["labels"] = kept
	}
	if len(after) > 0 && ros["scope"] == "system" {
		out["depends_on"] = after
	}
}
