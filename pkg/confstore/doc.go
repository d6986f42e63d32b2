// Package confstore keeps the machine's own configuration files and their
// history: cloud-config.yaml and conf.d/*.yaml below layout.ConfigDir.
//
// A change is written in three steps, each whole or not at all: what is to be
// (pending), the files, the entry of the history. Open finishes what a power
// cut left between them. A change that is only tried has a note of what to go
// back to; Open goes back when the note is of another boot, or its time is over.
//
// It knows nothing of what the files mean, except that one that is bad is
// somebody else's to judge. rosd imports it, and is alone in writing.
package confstore
