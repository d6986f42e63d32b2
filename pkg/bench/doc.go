// Package bench measures Testudo against a bare kernel and against Debian 13,
// all in the same virtual machine with the same program (pkg/bench/probe) asking
// from inside. docs/performance.md describes the method.
//
// Time is counted where it can be: QEMU gives the guest one nanosecond for each
// instruction, so a busy host changes nothing. What still differs from run to
// run is shown as a range. Wall time is told beside it.
//
// It never builds Testudo (it is handed finished files) and never runs two
// machines at once. For cmd/mkos only.
package bench
