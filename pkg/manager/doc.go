// Package manager is the supervisor: it brings what runs in line with what is
// declared. One goroutine owns all state. What happens (an exit, a READY=1, a
// request, a due time) reaches it through one channel; it applies the event
// with service.Status.Apply, asks service.Plan what to do, and hands each action
// to a goroutine of its own, whose result comes back as an event. It never
// polls, and never waits for containerd itself.
//
// It knows nothing of configuration, images or files: pkg/runtime runs
// services, pkg/logs and pkg/notify are reached through Options. What must
// outlive this process is kept in one small file for each service, in RAM; that
// and containerd's records let the next rosd take over what runs.
package manager
