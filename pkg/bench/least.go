package bench

import "fmt"

// Least finds the smallest multiple of step in [low, high] for which ok holds,
// given that what holds for one holds for all larger ones.
func Least(low, high, step int, ok func(n int) (bool, error)) (int, error) {
	if step <= 0 || low%step != 0 || high%step != 0 || low > high {
		return 0, fmt.Errorf("cannot search from %d to %d in steps of %d", low, high, step)
	}
	works, err := ok(high)
	if err != nil {
		return 0, err
	}
	if !works {
		return 0, fmt.Errorf("more than %d is needed", high)
	}
	for low < high {
		middle := low + (high-low)/step/2*step
		works, err := ok(middle)
		if err != nil {
			return 0, err
		}
		if works {
			high = middle
		} else {
			low = middle + step
		}
	}
	return high, nil
}
