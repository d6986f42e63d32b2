package supervise

import "time"

// Backoff says how long to wait before the next start. The zero value is the
// policy of the OS: 200 ms, doubling to 30 s, from the beginning again after a
// run of a minute.
type Backoff struct {
	Min, Max time.Duration
	Reset    time.Duration // a run this long is no failure

	fails int
}

// Next takes how long the process ran and gives the pause before it is started
// again.
func (b *Backoff) Next(ran time.Duration) time.Duration {
	lo, hi, reset := b.Min, b.Max, b.Reset
	if lo <= 0 {
		lo = 200 * time.Millisecond
	}
	if hi <= 0 {
		hi = 30 * time.Second
	}
	if reset <= 0 {
		reset = time.Minute
	}
	if ran >= reset {
		b.fails = 0
	}
	pause := lo
	for range b.fails {
		if pause >= hi/2 {
			pause = hi
			break
		}
		pause *= 2
	}
	b.fails++
	return min(pause, hi)
}

// Fails counts the ends since the last run that was long enough.
func (b *Backoff) Fails() int { return b.fails }
