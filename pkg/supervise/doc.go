// Package supervise starts processes, keeps them running and reaps them, for
// programs that are process 1 of a machine or of a container.
//
// There is one Reaper in a process and nothing else may wait for children:
// it calls wait4(-1), so that orphans that the kernel hands to process 1 leave
// no zombies, and passes each status on to whoever started that pid. Programs
// with a Reaper therefore do not use os/exec. A Supervisor keeps one process
// running: it starts it again after it ends, later each time it ends early.
//
// It knows nothing of services, readiness or configuration: pkg/runtime and
// rosd do. init and the console image's program import it.
package supervise
