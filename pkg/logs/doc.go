// Package logs keeps what services write to stdout and stderr. The shims write
// to FIFOs; this package reads them, stamps each line and appends it as JSON to
// NAME.log, which is rotated once to NAME.log.1.
//
// A service is never held up by its log: when the disk is full the last lines
// stay in memory, the others are counted, and the log says so once it can be
// written again. The shim holds both ends of its FIFO open, so nothing is lost
// while no rosd reads: what does not fit the pipe waits in the service.
//
// It knows nothing of containers. rosd imports it.
package logs
