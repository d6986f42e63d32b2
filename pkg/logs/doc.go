// Package logs is the machine's one store of logs: what services write to
// stdout and stderr, the kernel's log, and what rosd itself says.
//
// The shims write to FIFOs. A reader for each FIFO takes lines apart, stamps
// them and leaves them in memory; one writer appends them to the service's
// segment files. Neither waits for the other: a service is never held up by
// its log. What a flood, a stalled or a full disk leaves no room for is
// dropped, counted, and the log says so. The shim holds both ends of its FIFO
// open, so what is written while no rosd reads waits in the pipe.
//
// On disk a log is SERVICE/BOOT-NUMBER-BOOTID.log (see segment.go), one line of
// text for each record (see record.go): readable without this program. Whole
// segments are removed when a service's log, or all together, grow too large
// or too old. What is written is on the disk within Options.Sync; a line that a
// power cut has torn is skipped.
//
// Lines are in the order of boots, and within one of CLOCK_BOOTTIME: a clock
// that is set while the machine runs mixes up nothing.
//
// It knows nothing of containers. rosd imports it.
package logs
