package service

import (
	"slices"
	"strings"
	"testing"

	"github.com/testudo-os/testudo/pkg/strictyaml"
)

// composeKeys are the keys of a service in the Compose Specification
// (schema/compose-spec.json of github.com/compose-spec/compose-spec, 2026).
var composeKeys = strings.Fields(`annotations attach blkio_config build cap_add cap_drop cgroup cgroup_parent command configs
	container_name cpu_count cpu_percent cpu_period cpu_quota cpu_rt_period cpu_rt_runtime cpu_shares cpus cpuset credential_spec
	depends_on deploy develop device_cgroup_rules devices dns dns_opt dns_search domainname entrypoint env_file environment expose
	extends external_links extra_hosts gpus group_add healthcheck hostname image init ipc isolation label_file labels links logging
	mac_address mem_limit mem_reservation mem_swappiness memswap_limit models network_mode networks oom_kill_disable oom_score_adj
	pid pids_limit platform ports post_start pre_stop privileged profiles provider pull_policy pull_refresh_after read_only restart
	runtime scale secrets security_opt shm_size stdin_open stop_grace_period stop_signal storage_opt sysctls tmpfs tty ulimits
	use_api_socket user userns_mode uts volumes volumes_from working_dir`)

func TestEveryKeyOfComposeIsTakenOrRefusedWithAReason(t *testing.T) {
	taken := strictyaml.Fields(serviceYAML{})
	for _, key := range composeKeys {
		reason := serviceRefusals[key]
		switch {
		case slices.Contains(taken, key) && reason != "":
			t.Errorf("%s is taken and refused", key)
		case !slices.Contains(taken, key) && reason == "":
			t.Errorf("%s is neither taken nor refused", key)
		}
		if reason != "" && !strings.ContainsAny(reason, ";,(") {
			t.Errorf("%s: the reason does not say what to do instead: %s", key, reason)
		}
	}
	for _, key := range taken {
		if !slices.Contains(composeKeys, key) && key != "x-ros" {
			t.Errorf("%s is no key of Compose: ours are below x-ros", key)
		}
	}
	for key := range serviceRefusals {
		if !slices.Contains(composeKeys, key) {
			t.Errorf("%s is refused and no key of Compose", key)
		}
	}
}
