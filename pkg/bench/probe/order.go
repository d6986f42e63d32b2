package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// order is what the host wants, from the kernel's command line:
//
//	bench.await=ssh,docker  what to wait for
//	bench.processes=50      how many processes to wait for, after that
//	bench.idle=30           seconds from the last answer to the reading of memory
//	bench.until=90          uptime in seconds of that reading, if that is later
//	bench.starter=web       the service whose start is measured before power off
//	bench.limit=300         seconds after which what has not answered is given up
type order struct {
	await              []string
	processes          int
	starter            string
	idle, until, limit time.Duration
}

func parseOrder(cmdline string) (order, error) {
	o := order{idle: 30 * time.Second, limit: 300 * time.Second}
	for _, arg := range strings.Fields(cmdline) {
		key, value, _ := strings.Cut(arg, "=")
		var err error
		switch key {
		case "bench.await":
			o.await = strings.FieldsFunc(value, func(r rune) bool { return r == ',' })
		case "bench.processes":
			if o.processes, err = strconv.Atoi(value); err != nil {
				err = fmt.Errorf("%s: %w", arg, err)
			}
		case "bench.starter":
			o.starter = value
		case "bench.idle":
			err = seconds(arg, value, &o.idle)
		case "bench.until":
			err = seconds(arg, value, &o.until)
		case "bench.limit":
			err = seconds(arg, value, &o.limit)
		}
		if err != nil {
			return o, err
		}
	}
	for _, name := range o.await {
		if _, ok := targets()[name]; !ok {
			return o, fmt.Errorf("bench.await: no target %q", name)
		}
	}
	return o, nil
}

func seconds(arg, value string, to *time.Duration) error {
	n, err := strconv.ParseUint(value, 10, 16)
	if err != nil {
		return fmt.Errorf("%s: %w", arg, err)
	}
	*to = time.Duration(n) * time.Second
	return nil
}
