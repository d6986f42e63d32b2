// Command guest is what the tests run in containers on the machine: one static
// program that does a few small things by name.
package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "guest:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 {
		return errors.New("what to do: echo, write, read, serve, wait or orphans")
	}
	switch verb, rest := args[0], args[1:]; {
	case verb == "echo" && len(rest) == 1:
		fmt.Println(rest[0])
		return nil
	case verb == "write" && len(rest) == 2:
		return os.WriteFile(rest[0], []byte(rest[1]+"\n"), 0o644)
	case verb == "read" && len(rest) == 1:
		b, err := os.ReadFile(rest[0])
		fmt.Print(string(b))
		return err
	case verb == "serve" && len(rest) == 2:
		return http.ListenAndServe(rest[0], http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintln(w, rest[1])
		}))
	case verb == "get" && len(rest) == 1:
		return get(rest[0])
	case verb == "wait" && len(rest) == 0:
		ch := make(chan os.Signal, 1)
		signal.Notify(ch, syscall.SIGTERM, syscall.SIGINT)
		<-ch
		return nil
	case verb == "deaf" && len(rest) == 0:
		signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
		select {}
	case verb == "openfiles" && len(rest) == 2:
		return limitOpenFiles(rest[0], rest[1])
	case verb == "terminal" && len(rest) >= 2:
		return onTerminal(rest[0], rest[1:])
	case verb == "orphans" && len(rest) == 2:
		return orphans(rest[0], rest[1])
	case verb == "orphan" && len(rest) == 0:
		// Starts a child and leaves: the child is PID 1's from then on.
		return exec.Command("/proc/self/exe", "echo", "orphan").Start()
	}
	return fmt.Errorf("no such thing: %q", args)
}

// get prints what a web server answers.
func get(url string) error {
	response, err := http.Get(url)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	_, err = io.Copy(os.Stdout, response.Body)
	return err
}

// orphans leaves rate orphans a second behind for some seconds.
func orphans(rate, seconds string) error {
	n, err1 := strconv.Atoi(rate)
	s, err2 := strconv.Atoi(seconds)
	if err1 != nil || err2 != nil || n <= 0 {
		return fmt.Errorf("want a rate and seconds, not %q %q", rate, seconds)
	}
	tick := time.NewTicker(time.Second / time.Duration(n))
	defer tick.Stop()
	for range n * s {
		<-tick.C
		if err := exec.Command("/proc/self/exe", "orphan").Run(); err != nil {
			return err
		}
	}
	return nil
}
