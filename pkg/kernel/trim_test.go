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
	got, err := tab.left()
	want := []string{"kernel/drivers/hid/hid-steam.ko", "kernel/drivers/leds/led-a.ko"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
}

func TestEveryLeftOutFolderHasAReason(t *testing.T) {
	for _, u := range unneeded() {
		if u.path == "" || u.why == "" {
			t.Errorf("%+v", u)
		}
	}
}
