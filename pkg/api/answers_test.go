package api_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/testudo-os/testudo/pkg/api"
	"github.com/testudo-os/testudo/pkg/api/conform"
	"github.com/testudo-os/testudo/pkg/netstatus"
)

// bodies are those of routes that take one.
var bodies = map[string]any{
	"/v1/power":                  api.Power{Action: "reboot"},
	"/v1/services/{name}/create": api.Declaration{File: "services: {}"},
	"/v1/up":                     api.Up{}, "/v1/services/{name}/kill": api.Kill{}, "/v1/services/{name}/upgrade": api.Upgrade{},
	"/v1/config/edit": api.ConfigEdit{Verb: api.ConfigSet}, "/v1/config/apply": api.ConfigApply{}, "/v1/config/rollback": api.ConfigRollback{},
	"/v1/images/import": api.Import{}, "/v1/images/remove": api.RemoveImage{},
}

// Every route is asked, twice: of a machine of which everything is known, and
// of one of which nothing is.
func TestEveryAnswerIsAsTheDocumentSays(t *testing.T) {
	operations, err := conform.Operations()
	if err != nil || len(operations) < 10 {
		t.Fatalf("the document has %d operations (%v)", len(operations), err)
	}
	for name, b := range map[string]api.Backend{"everything": full{}, "nothing": empty{}} {
		handler := api.Handler(b)
		for _, o := range operations {
			t.Run(name+" "+o.Method+" "+o.Path, func(t *testing.T) {
				body := ""
				if value := bodies[o.Path]; value != nil {
					data, err := json.Marshal(value)
					if err != nil {
						t.Fatal(err)
					}
					body = string(data)
				}
				w := httptest.NewRecorder()
				handler.ServeHTTP(w, httptest.NewRequest(o.Method, strings.ReplaceAll(o.Path, "{name}", "web"), strings.NewReader(body)))
				if w.Code != http.StatusOK {
					t.Fatalf("%d %s", w.Code, w.Body)
				}
				if err := conform.Check(o, w.Body.Bytes()); err != nil {
					t.Errorf("%v\n%s", err, w.Body)
				}
			})
		}
	}
}

func TestAnAnswerThatIsNotAsTheDocumentSaysIsFound(t *testing.T) {
	for answer, o := range map[string]conform.Operation{
		`{"name":"x"}`: {Method: "GET", Path: "/v1/version"}, // keys are missing
		`{"name":"","version":"","build_id":"","kernel":"","more":1}`: {Method: "GET", Path: "/v1/version"}, // one too many
		`null`:       {Method: "GET", Path: "/v1/services"},
		`{"line":1}`: {Method: "GET", Path: "/v1/logs"},
		``:           {Method: "GET", Path: "/v1/status"},
	} {
		if err := conform.Check(o, []byte(answer)); err == nil {
			t.Errorf("%s %s may answer %s", o.Method, o.Path, answer)
		}
	}
}

// fill sets every field of a value to something.
func fill[T any]() (v T) {
	fillValue(reflect.ValueOf(&v).Elem())
	return v
}

func fillValue(v reflect.Value) {
	switch {
	case v.Type() == reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(time.Date(2026, 11, 21, 12, 0, 0, 5, time.UTC)))
		return
	case v.Type() == reflect.TypeFor[api.State]():
		v.SetString(string(api.StateRunning))
		return
	case v.Type() == reflect.TypeFor[api.ChangeAction]():
		v.SetString(string(api.ChangeStart))
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fillValue(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fillValue(v.Index(0))
		fillValue(v.Index(1))
	case reflect.Struct:
		for i := range v.NumField() {
			fillValue(v.Field(i))
		}
	case reflect.String:
		v.SetString("text")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Float64:
		v.SetFloat(1.5)
	default:
		v.SetInt(7)
	}
}

// full is a machine of which everything is known.
type full struct{ api.Backend }

func (full) Status(context.Context) (api.Status, error)           { return fill[api.Status](), nil }
func (full) Version(context.Context) (api.Version, error)         { return fill[api.Version](), nil }
func (full) Services(context.Context) ([]api.Service, error)      { return fill[[]api.Service](), nil }
func (full) Service(context.Context, string) (api.Service, error) { return fill[api.Service](), nil }
func (full) Inspect(context.Context, string) (any, error)         { return map[string]any{"Image": "x"}, nil }
func (full) Do(context.Context, string, api.Verb) (api.Service, error) {
	return fill[api.Service](), nil
}
func (full) Declare(context.Context, string, api.Declare, api.Declaration) (api.Declared, error) {
	return fill[api.Declared](), nil
}
func (full) Up(context.Context, api.Up) ([]api.Change, error) { return fill[[]api.Change](), nil }
func (full) Kill(context.Context, string, api.Kill) (api.Service, error) {
	return fill[api.Service](), nil
}
func (full) Pull(_ context.Context, _ string, tell func(api.Progress)) (api.Image, error) {
	tell(api.Progress{Step: "pull", Done: 1, Total: 2})
	return fill[api.Image](), nil
}
func (full) Upgrade(_ context.Context, _ string, _ api.Upgrade, tell func(api.Progress)) (api.Upgraded, error) {
	tell(api.Progress{Step: "trial"})
	return fill[api.Upgraded](), nil
}
func (full) Rollback(context.Context, string) (api.Upgraded, error) { return fill[api.Upgraded](), nil }
func (full) Images(context.Context) ([]api.Image, error)            { return fill[[]api.Image](), nil }
func (full) RemoveImage(context.Context, api.RemoveImage) error     { return nil }
func (full) Import(_ context.Context, _ api.Import, tell func(api.Progress)) (api.Image, error) {
	return fill[api.Image](), nil
}
func (full) Usage(context.Context) ([]api.Usage, error)   { return fill[[]api.Usage](), nil }
func (full) Boot(context.Context) ([]api.BootStep, error) { return fill[[]api.BootStep](), nil }
func (full) Power(context.Context, string) error          { return nil }
func (full) Config(context.Context, api.ConfigOptions) (any, error) {
	return map[string]any{"hostname": "x"}, nil
}
func (full) ConfigFile(context.Context) (api.ConfigFile, error) { return fill[api.ConfigFile](), nil }
func (full) EditConfig(context.Context, api.ConfigEdit) (api.ConfigEntry, error) {
	return fill[api.ConfigEntry](), nil
}
func (full) ApplyConfig(context.Context, api.ConfigApply) (api.ConfigApplied, error) {
	return fill[api.ConfigApplied](), nil
}
func (full) ConfirmConfig(context.Context) (api.ConfigEntry, error) {
	return fill[api.ConfigEntry](), nil
}
func (full) RollbackConfig(context.Context, api.ConfigRollback) (api.ConfigApplied, error) {
	return fill[api.ConfigApplied](), nil
}
func (full) ConfigHistory(context.Context) ([]api.ConfigEntry, error) {
	return fill[[]api.ConfigEntry](), nil
}
func (full) ConfigDiff(context.Context, int, int) (api.ConfigDiff, error) {
	return fill[api.ConfigDiff](), nil
}
func (full) Network(context.Context) (api.Network, error) { return fill[api.Network](), nil }
func (full) WatchNetwork(_ context.Context, state func(api.Network) error) error {
	return state(fill[api.Network]())
}
func (full) Logs(_ context.Context, _ api.LogOptions, line func(api.LogLine) error) error {
	return line(fill[api.LogLine]())
}
func (full) Events(_ context.Context, _ api.EventOptions, event func(api.SystemEvent) error) error {
	return event(fill[api.SystemEvent]())
}

// empty is a machine of which nothing is known but what always is.
type empty struct{ full }

func (empty) Status(context.Context) (api.Status, error) {
	return api.Status{Config: api.ConfigStatus{Refused: []string{}, Notes: []string{}}, Problems: []string{}, Services: []api.Service{}, Disks: []api.Disk{}, Addresses: []api.Address{}}, nil
}
func (empty) Version(context.Context) (api.Version, error)    { return api.Version{}, nil }
func (empty) Services(context.Context) ([]api.Service, error) { return nil, nil }
func (empty) Service(context.Context, string) (api.Service, error) {
	return api.Service{State: api.StateWaiting}, nil
}
func (empty) Declare(context.Context, string, api.Declare, api.Declaration) (api.Declared, error) {
	return api.Declared{}, nil
}
func (empty) ConfigHistory(context.Context) ([]api.ConfigEntry, error) { return nil, nil }
func (empty) ApplyConfig(context.Context, api.ConfigApply) (api.ConfigApplied, error) {
	return api.ConfigApplied{Actions: []api.ConfigAction{}}, nil
}
func (empty) ConfigDiff(context.Context, int, int) (api.ConfigDiff, error) {
	return api.ConfigDiff{Keys: []string{}}, nil
}
func (empty) Usage(context.Context) ([]api.Usage, error)   { return nil, nil }
func (empty) Boot(context.Context) ([]api.BootStep, error) { return nil, nil }
func (empty) Network(context.Context) (api.Network, error) {
	return api.Network{Checks: []netstatus.NetworkCheck{}, Links: []netstatus.NetworkLink{}}, nil
}
func (empty) Up(context.Context, api.Up) ([]api.Change, error) { return nil, nil }
func (empty) Images(context.Context) ([]api.Image, error)      { return nil, nil }
func (empty) Logs(context.Context, api.LogOptions, func(api.LogLine) error) error {
	return nil
}
func (empty) Events(context.Context, api.EventOptions, func(api.SystemEvent) error) error { return nil }
