package qemutests

import "testing"

// A machine as it comes, without a disk. What needs nothing else shares it; the
// last part switches it off.
func TestAnOrdinaryMachine(t *testing.T) {
	t.Parallel()
	m := boot(t, setup{})
	m.runParts(
		part{"without a state disk everything lives in RAM, and it says so", withoutAStateDiskEverythingLivesInRAMAndSaysSo},
		part{"the console is a place to work", theConsoleIsAPlaceToWork},
		part{"the API answers as its document says", theAPIAnswersAsItsDocumentSays},
		part{"a hundred orphans a second are reaped", aHundredOrphansASecondAreReaped},
		part{"a service that floods is not held up and holds up nobody", aFloodingServiceIsNotHeldUpAndHoldsUpNobody},
		part{"the power button powers off", thePowerButtonPowersOff},
	)
}
