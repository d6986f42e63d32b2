package main

import (
	"runtime/debug"
	"time"
)

// The heap is about 3 MiB. At boot, collecting would only cost time; later,
// memory counts for more.
const (
	bootGC      = 400
	steadyGC    = 40
	memoryLimit = 32 << 20 // soft: beyond it Go collects more eagerly
	bootTime    = 30 * time.Second
)

func tuneMemory() {
	debug.SetGCPercent(bootGC)
	debug.SetMemoryLimit(memoryLimit)
	time.AfterFunc(bootTime, func() {
		debug.SetGCPercent(steadyGC)
		debug.FreeOSMemory()
	})
}
