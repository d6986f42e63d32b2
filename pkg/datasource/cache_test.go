package datasource

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

func TestCacheGivesBackWhatItKept(t *testing.T) {
	c := Cache{filepath.Join(t.TempDir(), "new", "datasource.json")}
	if _, err := c.Load(); !errors.Is(err, ErrNone) {
		t.Errorf("nothing kept: got %v", err)
	}
	want := &Data{Source: "s", Meta: Meta{InstanceID: "i"}, UserData: []byte("\xff\x00")}
	if err := c.Save(want); err != nil {
		t.Fatal(err)
	}
	if got, err := c.Load(); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	if info, err := os.Stat(c.Path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v; want 0600", info.Mode(), err)
	}
	if err := os.WriteFile(c.Path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Load(); err == nil || errors.Is(err, ErrNone) {
		t.Errorf("a damaged copy: got %v", err)
	}
}

func TestKeptDataAreForTheirOwnMachine(t *testing.T) {
	one := DMI{ProductUUID: "4c4c4544-0000-2010-8020-80c04f202020", ProductSerial: "A"}
	two := DMI{ProductUUID: "4c4c4544-0000-2010-8020-80c04f202021", ProductSerial: "A"}
	blank := DMI{ProductUUID: "00000000-0000-0000-0000-000000000000"}
	if blank.Fingerprint() != "" || (DMI{ProductUUID: "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF"}).Fingerprint() != "" {
		t.Error("a UUID that was never set tells machines apart")
	}
	upper := one
	upper.ProductUUID = "4C4C4544-0000-2010-8020-80C04F202020"
	for _, test := range []struct {
		name      string
		kept, now DMI
		want      bool
	}{
		{"the same machine", one, one, true},
		{"written otherwise", one, upper, true},
		{"another machine", one, two, false},
		{"kept where nothing told", blank, two, true},
		{"nothing tells now", one, blank, true},
	} {
		d := &Data{Machine: test.kept.Fingerprint()}
		if got := d.For(test.now.Fingerprint()); got != test.want {
			t.Errorf("%s: got %v", test.name, got)
		}
	}
}
