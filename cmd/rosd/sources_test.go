package main

import (
	"context"
	"errors"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/testudo-os/testudo/pkg/api"
	"github.com/testudo-os/testudo/pkg/datasource"
	"github.com/testudo-os/testudo/pkg/datasource/find"
)

// told is a datasource that gives what it is told to.
type told struct {
	name string
	m    datasource.Match
	data *datasource.Data
}

func (t told) Name() string                              { return t.name }
func (t told) Detect(*datasource.Facts) datasource.Match { return t.m }
func (t told) Fetch(context.Context, *datasource.Env) (*datasource.Data, error) {
	if t.data == nil {
		return nil, datasource.ErrNone
	}
	copied := *t.data
	return &copied, nil
}

func TestSourcesTellsWhatWasFoundAndWhatIsWrongWithIt(t *testing.T) {
	finder := find.New(find.Options{
		Sources: []datasource.Source{
			told{"nocloud", datasource.Match{Found: true, Reason: "a volume"}, &datasource.Data{Source: "nocloud (/dev/sr0)", Meta: datasource.Meta{InstanceID: "i-1"}, UserData: []byte("#cloud-config\nx: 1")}},
			told{"ec2", datasource.Match{Reason: "no Amazon"}, nil},
		},
		Env:   &datasource.Env{Facts: &datasource.Facts{DMI: datasource.DMI{SysVendor: "QEMU"}}},
		Cache: datasource.Cache{Path: filepath.Join(t.TempDir(), "datasource.json")},
		Check: func(*datasource.Data) error { return errors.New("user-data:2:1: x: unknown key") },
	})
	finder.AtBoot(t.Context())
	got, err := (&backend{finder: finder}).Sources(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got.Since.IsZero() || got.Sources[0].Took < 0 {
		t.Errorf("got %+v", got)
	}
	got.Since, got.Sources[0].Took = api.Sources{}.Since, 0
	want := api.Sources{
		Machine: "QEMU", Used: "nocloud (/dev/sr0)", Instance: "i-1",
		Sources: []api.Source{
			{Name: "nocloud", State: api.SourceUsed, Reason: "a volume", Result: "used"},
			{Name: "ec2", State: api.SourcePassed, Reason: "no Amazon"},
		},
		Problems: []string{"user-data:2:1: x: unknown key", "nocloud (/dev/sr0) user-data is refused, and no last good content is there"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}
