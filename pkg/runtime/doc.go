// Package runtime runs services as containers in the system containerd. It is
// the only package that speaks to containerd, and keeps no record of its own:
// what runs is asked of containerd, so that the next rosd finds it again.
//
// It decides nothing. Whether and when a service runs is pkg/service's
// business, what its spec is pkg/ocispec's. It never pulls an image.
//
// It uses the client's services below containerd.Container and
// containerd.Task, because those ask for runtime features, snapshots and specs
// again at each step: one start is four calls here.
package runtime
