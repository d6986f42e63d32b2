package kernel

import (
	"slices"
	"testing"
)

func TestWhatNoServerNeedsIsLeftOutUnlessAnotherModuleNeedsIt(t *testing.T) {
	tab, err := parseTable("kernel/drivers/hid/hid-generic.ko: kernel/drivers/hid/hid.ko\n"+
		"kernel/drivers/hid/hid.ko:\n"+
		"kernel/drivers/hid/hid-steam.ko: kernel/drivers/hid/hid.ko kernel/drivers/leds/led-a.ko\n"+
		"kernel/drivers/leds/led-a.ko:\n"+
		"kernel/drivers/leds/led-b.ko:\n"+
		"kernel/drivers/net/ena.ko: kernel/drivers/leds/led-b.ko\n", "")
	if err != nil {
		t.Fatal(err)
	}
	got, err := tab.left(unneeded())
	want := []string{"kernel/drivers/hid/hid-steam.ko", "kernel/drivers/leds/led-a.ko"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
}

func TestEveryLeftOutFolderHasAReason(t *testing.T) {
	for _, u := range Cloud.omissions() {
		if u.path == "" || u.why == "" {
			t.Errorf("%+v", u)
		}
	}
}

func TestTheGenericKernelKeepsDriversOfRealHardware(t *testing.T) {
	const file = "kernel/drivers/infiniband/core/ib_core.ko"
	tab, err := parseTable(file+":\n", "")
	if err != nil {
		t.Fatal(err)
	}
	for flavour, want := range map[Flavour]int{Cloud: 1, Generic: 0} {
		if got, err := tab.left(flavour.omissions()); err != nil || len(got) != want {
			t.Errorf("%s: %v is left out, %v", flavour, got, err)
		}
	}
}
