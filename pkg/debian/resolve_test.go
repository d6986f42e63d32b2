package debian

import (
	"reflect"
	"strings"
	"testing"
)

const shownStanza = `Package: zlib1g
Version: 1:1.3-1
Architecture: amd64
Section: libs
Pre-Depends: first
Depends: libc6 (>= 2.14)
Provides: libz1 (= 1)
Size: 10
SHA256: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
`

func TestURIsGiveNamesVersionsAndArchitectures(t *testing.T) {
	got, err := parseURIs("Reading...\n'http://m/z.deb' zlib1g_1%3a1.3-1_amd64.deb 10 MD5Sum:x\n\n'http://m/a.deb' a_1_all.deb 3 SHA256:y\n")
	want := []version{{"zlib1g", "1:1.3-1", "amd64"}, {"a", "1", "all"}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v and %v, want %v", got, err, want)
	}
	if _, err := parseURIs("'http://m/a.deb' odd.deb 1 x"); err == nil {
		t.Error("a file name without version was taken")
	}
}

func TestPackagesAreMadeOfWhatAptShows(t *testing.T) {
	stanzas, err := parseStanzas(strings.NewReader(shownStanza))
	if err != nil {
		t.Fatal(err)
	}
	got, err := toPackages(stanzas, []version{{"zlib1g", "1:1.3-1", "amd64"}})
	want := []Package{{
		Name: "zlib1g", Version: "1:1.3-1", Arch: "amd64", Section: "libs", Size: 10, SHA256: strings.Repeat("a", 64),
		Depends: [][]string{{"first"}, {"libc6"}}, Provides: []string{"libz1"},
	}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v and %v, want %+v", got, err, want)
	}
	if got := want[0].file(); got != "zlib1g_1%3a1.3-1_amd64.deb" {
		t.Errorf("the file is called %s", got)
	}
}

func TestPackagesWithoutChecksumOrInAnotherVersionAreRefused(t *testing.T) {
	for name, change := range map[string][2]string{
		"no checksum":     {"SHA256: a", "MD5sum: a"},
		"another version": {"Version: 1:1.3-1", "Version: 2"},
		"no size":         {"Size: 10", "Size: ten"},
	} {
		stanzas, err := parseStanzas(strings.NewReader(strings.Replace(shownStanza, change[0], change[1], 1)))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := toPackages(stanzas, []version{{"zlib1g", "1:1.3-1", "amd64"}}); err == nil {
			t.Errorf("%s: taken as %+v", name, got)
		}
	}
}
