// Package cgroupstat reads what a control group (cgroup v2) uses. A controller
// that is not there, or a file that an older kernel lacks, counts as nothing
// used. rosd imports it.
package cgroupstat

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Stat is what a group and those below it use.
type Stat struct {
	CPU         int64 // microseconds of processor time since it was made
	Memory      int64 // bytes, with file cache
	MemoryLimit int64 // bytes; 0: none
	Processes   int64 // with threads
	ReadBytes   int64 // from disks since it was made
	WriteBytes  int64
}

// Read reads the group whose folder this is.
func Read(dir string) (Stat, error) {
	if _, err := os.Stat(dir); err != nil {
		return Stat{}, fmt.Errorf("control group: %w", err)
	}
	var s Stat
	var errs []error
	read := func(name string, line func(fields []string)) {
		if err := eachLine(filepath.Join(dir, name), line); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, fmt.Errorf("control group: %w", err))
		}
	}
	read("cpu.stat", func(f []string) {
		if len(f) == 2 && f[0] == "usage_usec" {
			s.CPU = number(f[1])
		}
	})
	read("memory.current", func(f []string) { s.Memory = number(f[0]) })
	read("memory.max", func(f []string) { s.MemoryLimit = number(f[0]) }) // "max" is none
	read("pids.current", func(f []string) { s.Processes = number(f[0]) })
	read("io.stat", func(f []string) {
		for _, field := range f[1:] { // after the device
			switch key, value, _ := strings.Cut(field, "="); key {
			case "rbytes":
				s.ReadBytes += number(value)
			case "wbytes":
				s.WriteBytes += number(value)
			}
		}
	})
	return s, errors.Join(errs...)
}

func number(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// eachLine splits each line that is not empty into its words.
func eachLine(path string, line func([]string)) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if fields := strings.Fields(lines.Text()); len(fields) > 0 {
			line(fields)
		}
	}
	return lines.Err()
}
