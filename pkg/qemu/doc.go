// Package qemu starts virtual machines and talks to them: serial console, QMP,
// ssh. `mkos run`, the tests and the bench share it, so that all three boot the
// same machine.
//
// It never decides what is booted (the caller names every file), never downloads
// anything (pkg/tools brings QEMU), and never leaves a machine behind: a machine
// ends with its context, with Kill, or with the program that started it.
//
// The QMP client is our own: the known library is not served by the module
// proxy we build with, and a client of one connection needs a hundred lines.
package qemu
