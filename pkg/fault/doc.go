// Package fault names the moments at which a program may be killed. A normal
// build knows nothing of them; with the build tag `faults`, TESTUDO_FAULT=NAME
// has the process kill itself, as kill -9 would, when it gets there. Tests go
// through all names and see that the next process converges.
package fault
