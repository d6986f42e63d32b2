package boot

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/testudo-os/testudo/pkg/api"
)

// trace is a log and a list of what was done.
type trace struct {
	did []string
	log bytes.Buffer
}

func (t *trace) Infof(f string, a ...any)  { fmt.Fprintf(&t.log, "info: "+f+"\n", a...) }
func (t *trace) Warnf(f string, a ...any)  { fmt.Fprintf(&t.log, "warn: "+f+"\n", a...) }
func (t *trace) Errorf(f string, a ...any) { fmt.Fprintf(&t.log, "error: "+f+"\n", a...) }

func (t *trace) runner() *Runner {
	now := int64(0)
	return &Runner{Log: t, Now: func() int64 { now += 1000; return now }}
}

func (t *trace) step(name string, needed bool, fail error) Step {
	return Step{
		Name: name, Needed: needed,
		Do:   func(context.Context) error { t.did = append(t.did, "do "+name); return fail },
		Undo: func(context.Context) error { t.did = append(t.did, "undo "+name); return fail },
	}
}

func TestRun(t *testing.T) {
	failure := errors.New("no medium")
	tests := []struct {
		name    string
		steps   func(*trace) []Step
		want    []string
		wantErr bool
		wantLog string
	}{
		{"steps run in order and are undone in reverse",
			func(tr *trace) []Step { return []Step{tr.step("a", true, nil), tr.step("b", false, nil)} },
			[]string{"do a", "do b", "undo b", "undo a"}, false, "info: step b: done in 1ms"},
		{"a failed step does not stop the boot",
			func(tr *trace) []Step { return []Step{tr.step("a", false, failure), tr.step("b", false, nil)} },
			[]string{"do a", "do b", "undo b", "undo a"}, false, "warn: step a, after 1ms: no medium"},
		{"a failed step that is needed does, and is undone with those before it",
			func(tr *trace) []Step {
				return []Step{tr.step("a", false, nil), tr.step("b", true, failure), tr.step("c", false, nil)}
			},
			[]string{"do a", "do b", "undo b", "undo a"}, true, "warn: undo b, after 1ms: no medium"},
		{"a panic is an error like others, with its stack in the log",
			func(tr *trace) []Step {
				return []Step{{Name: "p", Do: func(context.Context) error { panic("oops") }}, tr.step("b", false, nil)}
			},
			[]string{"do b", "undo b"}, false, "boot_test.go"},
		{"a panic while undoing does not keep the others from being undone",
			func(tr *trace) []Step {
				return []Step{tr.step("a", false, nil), {Name: "p", Do: func(context.Context) error { return nil }, Undo: func(context.Context) error { panic("oops") }}}
			},
			[]string{"do a", "undo a"}, false, "undo p: panic: oops"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tr := &trace{}
			r := tr.runner()
			err := r.Run(context.Background(), tt.steps(tr))
			if (err != nil) != tt.wantErr {
				t.Fatalf("got error %v", err)
			}
			r.Undo(context.Background())
			r.Undo(context.Background()) // a second time undoes nothing
			if !reflect.DeepEqual(tr.did, tt.want) {
				t.Fatalf("got %q, want %q", tr.did, tt.want)
			}
			if !strings.Contains(tr.log.String(), tt.wantLog) {
				t.Fatalf("log without %q:\n%s", tt.wantLog, tr.log.String())
			}
		})
	}
}

func TestBeforeIsCalledWithEachName(t *testing.T) {
	tr := &trace{}
	r := tr.runner()
	r.Before = func(_ context.Context, name string) { tr.did = append(tr.did, "before "+name) }
	if err := r.Run(context.Background(), []Step{tr.step("a", false, nil)}); err != nil {
		t.Fatal(err)
	}
	if want := []string{"before a", "do a"}; !reflect.DeepEqual(tr.did, want) {
		t.Fatalf("got %q", tr.did)
	}
}

func TestTheRecordIsWhatTheAPIGives(t *testing.T) {
	tr := &trace{}
	r := tr.runner()
	if err := r.Run(context.Background(), []Step{tr.step("a", false, nil), tr.step("b", false, errors.New("why"))}); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "sub", "boot.json")
	if err := WriteJSON(file, r.Records()); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var got []api.BootStep
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&got); err != nil {
		t.Fatal(err)
	}
	want := []api.BootStep{
		{Name: "a", Kind: "init", Start: 1000, End: 2000},
		{Name: "b", Kind: "init", Start: 3000, End: 4000, Error: "why"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("got %+v", got)
	}
	if problems := r.Problems(); !reflect.DeepEqual(problems, []string{"b: why"}) {
		t.Fatalf("problems %q", problems)
	}
}
