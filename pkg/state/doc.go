// Package state is what lasts: it finds, checks and mounts the state disk,
// says which folders of the machine lie on it, and keeps the machine's
// identity and random seed there. A disk that is missing, full, read-only or
// corrupt never stops a boot: the result says how the state lives instead, and
// why. It formats nothing but a wholly empty disk, and only when asked. init
// imports it; docs/state.md is the table of binds for users.
package state
