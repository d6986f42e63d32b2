package netconf

import "time"

// Retransmission starts at a second because a missed first answer is most
// often a switch port that is not yet forwarding, and a boot waits for it.
const (
	firstRetry = time.Second
	lastRetry  = 64 * time.Second
)

// Random returns the next random number. It is a parameter so that tests know
// what comes out.
type Random func() uint32

// retryDelay says how long to wait for the answer to the attempt'th try
// (counted from 1): it doubles each time and is moved by up to an eighth
// either way, so that a room of machines that got power together spreads out.
func retryDelay(attempt int, random Random) time.Duration {
	delay := lastRetry
	if shift := max(attempt-1, 0); shift < 6 {
		delay = firstRetry << shift
	}
	return jitter(delay, random)
}

func jitter(delay time.Duration, random Random) time.Duration {
	// In microseconds, so that the product stays far below 2^63.
	span := uint64(delay / 4 / time.Microsecond)
	return delay - delay/8 + time.Duration(span*uint64(random())>>32)*time.Microsecond
}
