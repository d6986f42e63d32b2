package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Folders of the project, from its top. mkos is always run there (build.sh
// sees to it), so that messages and caches name short paths.
const (
	cacheDir = ".cache"
	distDir  = "dist"
)

// atTop fails when mkos is run somewhere else.
func atTop() error {
	if _, err := os.Stat(filepath.Join("cmd", "mkos")); err != nil {
		return usageError("run mkos from the top of the project, or use ./build.sh")
	}
	return nil
}

// logf tells the user what goes on.
func logf(format string, args ...any) {
	fmt.Fprintf(os.Stderr, time.Now().Format("15:04:05 ")+format+"\n", args...)
}
