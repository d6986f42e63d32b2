package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// tellWork writes down for how many microseconds each process and thread of
// the kernel has run so far, by name: those that are still there.
func tellWork(log *kernelLog) {
	work := map[string]int64{}
	threads, _ := filepath.Glob("[0-9]*/task/[0-9]*/schedstat")
	for _, file := range threads {
		text, err := os.ReadFile(file)
		name, nameErr := os.ReadFile(filepath.Join(filepath.Dir(file), "..", "..", "comm"))
		if err != nil || nameErr != nil {
			continue // it has ended
		}
		work[plainName(string(name))] += firstNumber(string(text)) / 1000
	}
	for name, micros := range work {
		if micros >= 1000 {
			log.fact("worked", name+" "+strconv.FormatInt(micros, 10))
		}
	}
}

// tellResident writes down how many kilobytes of each process are in memory,
// in all and without pages of files, which others may share.
func tellResident(log *kernelLog) {
	files, _ := filepath.Glob("[0-9]*/status")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		status := string(text)
		if rss := field(status, "VmRSS"); rss > 0 { // the kernel's threads have none
			_, name, _ := strings.Cut(status, "Name:")
			name, _, _ = strings.Cut(name, "\n")
			log.fact("resident", plainName(name)+" "+strconv.FormatInt(rss, 10)+" "+strconv.FormatInt(field(status, "RssAnon"), 10))
		}
	}
}

// plainName is a process's name as one word; a worker of the kernel is all workers.
func plainName(comm string) string {
	name := strings.Join(strings.Fields(comm), "_")
	if kind, _, ok := strings.Cut(name, "/"); ok {
		return kind
	}
	return name
}

func firstNumber(text string) int64 {
	if f := strings.Fields(text); len(f) > 0 {
		if n, err := strconv.ParseInt(f[0], 10, 64); err == nil {
			return n
		}
	}
	return 0
}

// userPrograms counts the processes that run a program: the kernel's threads
// have none.
func userPrograms() (n int, err error) {
	processes, err := filepath.Glob("[0-9]*/exe")
	if err != nil {
		return 0, err
	}
	for _, p := range processes {
		if _, err := os.Readlink(p); err == nil {
			n++
		}
	}
	return n, nil
}
