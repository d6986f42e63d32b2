// Command starter measures, inside a machine, how long a service takes to run
// from the moment rosd is asked, and how long the same image takes when the
// system containerd is asked the way `ctr run` asks it. The probe starts it in
// PID 1's mount namespace, with the kernel log as its output.
//
// What `ctr run` costs beyond its requests is left out to its advantage: the
// start of its own program, copying output, and the look into the image's
// /etc/group.
//
// It is never part of an image: pkg/bench appends it to the initrd of the
// machine it measures.
package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/testudo-os/testudo/pkg/api"
	"github.com/testudo-os/testudo/pkg/layout"
)

// rounds is how often each is started; the median counts.
const rounds = 7

func main() {
	if err := run(context.Background(), os.Args[1]); err != nil {
		tell("trouble starter: %v", err)
		os.Exit(1)
	}
}

// tell writes one record of the kernel log, as the probe does.
func tell(format string, args ...any) {
	_, _ = fmt.Fprintf(os.Stdout, "<2>BENCH fact %s\n", fmt.Sprintf(format, args...))
}

// run takes turns, so that both see the machine in the same state.
func run(ctx context.Context, service string) error {
	rosd := api.NewClient(layout.APISocket)
	defer rosd.Close()
	containers, err := connect(ctx, service)
	if err != nil {
		return err
	}
	defer containers.close()
	if _, err := rosd.Do(ctx, service, api.VerbStop); err != nil {
		return err
	}
	var byRosd, byCtr []time.Duration
	for range rounds {
		took, err := startService(ctx, rosd, service)
		if err != nil {
			return err
		}
		byRosd = append(byRosd, took)
		if took, err = containers.start(ctx); err != nil {
			return err
		}
		byCtr = append(byCtr, took)
	}
	tell("start-rosd %d", median(byRosd).Microseconds())
	tell("start-ctr %d", median(byCtr).Microseconds())
	return nil
}

// startService starts a service and stops it; only the start is measured.
func startService(ctx context.Context, rosd *api.Client, service string) (time.Duration, error) {
	begin := time.Now()
	row, err := rosd.Do(ctx, service, api.VerbStart)
	took := time.Since(begin)
	if err != nil {
		return 0, err
	}
	if row.PID == 0 {
		return 0, fmt.Errorf("service %s has no process after its start: %s %s", service, row.State, row.Reason)
	}
	_, err = rosd.Do(ctx, service, api.VerbStop)
	return took, err
}

func median(all []time.Duration) time.Duration {
	slices.Sort(all)
	return all[len(all)/2]
}
