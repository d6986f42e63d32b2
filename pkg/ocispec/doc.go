// Package ocispec turns a declared service and its image's configuration into
// the OCI runtime spec that runc gets. It is pure: what has to be looked up on
// the machine (device numbers, user names) comes in through Host, so that the
// whole translation has table tests. It never mounts, and never talks to
// containerd; pkg/runtime calls it.
//
// It follows Docker's meanings (default capabilities, masked paths, what
// `privileged` gives) with these exceptions, all in the direction of least
// privilege that works:
//
//   - a capability in cap_add also works in a process that is not root (it
//     goes to the ambient set; Docker's is lost at setuid);
//   - no default network: network_mode is none or host;
//   - /sys/fs/cgroup is there only for `cgroup: host` or privileged services.
//
// The spec is written here and not by containerd's oci.WithImageConfig because
// that mounts the snapshot at each start only to read /etc/passwd. The rule
// here: numeric users cost nothing; a name is asked of Host.User, which may
// mount the image once to read it.
package ocispec
