package main

import (
	"slices"
	"testing"
)

func TestThePictureShowsInitsLongStepsAndWhatWasTyped(t *testing.T) {
	got := pictureLines("[    0.000000] Linux version 6.12.1-amd64 (someone@somewhere) #1\r\n" +
		"[    0.100000] BIOS-e820: something\r\n" +
		"[    2.100000] testudo: step hostname: done in 416\u00b5s\r\n" +
		"[    2.200000] testudo: step root: done in 41.369ms\r\n" +
		"\x1b[?2004hros@box:~$ ros status\r\nhealth healthy\r\n")
	want := []string{
		grey + "[    0.000000] " + usual + "Linux version 6.12.1-amd64",
		grey + "[    2.200000] " + usual + green + "testudo:" + usual + " step root: done in 41.369ms",
		green + "ros@box:" + usual + "~$ ros status",
		"health healthy",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
