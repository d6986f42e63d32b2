package bench

import (
	"errors"
	"testing"
)

func TestLeastFindsEveryThresholdWithFewTries(t *testing.T) {
	for want := 64; want <= 512; want += 32 {
		tries := 0
		got, err := Least(64, 512, 32, func(n int) (bool, error) {
			tries++
			return n >= want, nil
		})
		if err != nil || got != want {
			t.Errorf("Least = %d, %v, want %d", got, err, want)
		}
		if tries > 5 {
			t.Errorf("%d took %d tries", want, tries)
		}
	}
}

func TestLeastSaysWhenEvenTheMostIsTooLittle(t *testing.T) {
	if got, err := Least(64, 512, 32, func(int) (bool, error) { return false, nil }); err == nil {
		t.Errorf("Least = %d, want an error", got)
	}
}

func TestLeastStopsAtAnError(t *testing.T) {
	broken := errors.New("broken")
	if _, err := Least(64, 512, 32, func(int) (bool, error) { return true, broken }); !errors.Is(err, broken) {
		t.Errorf("err = %v, want %v", err, broken)
	}
}

func TestLeastRefusesARangeThatIsNoMultipleOfTheStep(t *testing.T) {
	for _, r := range [][3]int{{10, 64, 32}, {64, 70, 32}, {64, 32, 32}, {0, 64, 0}} {
		if got, err := Least(r[0], r[1], r[2], func(int) (bool, error) { return true, nil }); err == nil {
			t.Errorf("Least%v = %d, want an error", r, got)
		}
	}
}
