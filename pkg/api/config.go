package api

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Configuration is the part of Backend that reads and changes the machine's
// configuration.
type Configuration interface {
	Config(ctx context.Context, o ConfigOptions) (any, error)
	ConfigFile(ctx context.Context) (ConfigFile, error)
	EditConfig(ctx context.Context, o ConfigEdit) (ConfigEntry, error)
	ApplyConfig(ctx context.Context, o ConfigApply) (ConfigApplied, error)
	ConfirmConfig(ctx context.Context) (ConfigEntry, error)
	RollbackConfig(ctx context.Context, o ConfigRollback) (ConfigApplied, error)
	ConfigHistory(ctx context.Context) ([]ConfigEntry, error)
	ConfigDiff(ctx context.Context, from, to int) (ConfigDiff, error)
}

// ConfigOptions says what of the configuration in force is wanted.
type ConfigOptions struct {
	Full    bool // with what is built in and what the vendor says
	Private bool // with secrets
}

// ConfigStatus is how the configuration came about.
type ConfigStatus struct {
	Datasource string     `json:"datasource"`          // "" without one
	Instance   string     `json:"instance"`            // its id
	Refused    []string   `json:"refused"`             // sources with mistakes, and what is used instead
	Notes      []string   `json:"notes"`               // keys that mean nothing here, and what to do instead
	TryUntil   *time.Time `json:"try_until,omitempty"` // what is on trial goes back then
}

// ConfigFile is the machine's own file, secrets and all.
type ConfigFile struct {
	Path string `json:"path"`
	Text string `json:"text"`
	Base int    `json:"base"` // entry of the history that this is
}

// ConfigVerb is a way to edit the machine's file. The set is closed.
type ConfigVerb string

const (
	ConfigSet     ConfigVerb = "set"     // one key to a value
	ConfigUnset   ConfigVerb = "unset"   // one key
	ConfigMerge   ConfigVerb = "merge"   // a file over it
	ConfigReplace ConfigVerb = "replace" // by a file
)

// ConfigEdit is the body of POST /v1/config/edit.
type ConfigEdit struct {
	Verb  ConfigVerb `json:"verb"`
	Key   string     `json:"key,omitempty"`   // of set and unset
	Value string     `json:"value,omitempty"` // of set, in YAML
	Text  string     `json:"text,omitempty"`  // of merge and replace
	Name  string     `json:"name,omitempty"`  // of the text, for messages
	Base  int        `json:"base,omitempty"`  // of replace: refused when the file is no longer as in this entry; 0: any
}

// ConfigEntry is one state of the machine's files in their history.
type ConfigEntry struct {
	ID      int       `json:"id"`
	Time    time.Time `json:"time"`
	Change  string    `json:"change"`          // for people: what led to it
	Files   []string  `json:"files"`           // their names
	Applied bool      `json:"applied"`         // it is in force
	Trial   bool      `json:"trial,omitempty"` // it is on trial
	// Overridden says, after an edit, that a source above the machine's file
	// sets the same key: that one counts.
	Overridden bool `json:"overridden,omitempty"`
}

// ConfigApply is the body of POST /v1/config/apply.
type ConfigApply struct {
	DryRun bool          `json:"dry_run,omitempty"`
	Try    time.Duration `json:"try,omitempty"` // nanoseconds: go back then unless it is confirmed; 0: for good
}

// ConfigRollback is the body of POST /v1/config/rollback.
type ConfigRollback struct {
	To int `json:"to,omitempty"` // entry; 0: the one before, or what a trial goes back to
}

// ConfigApplied is what applying does, or would do.
type ConfigApplied struct {
	Actions  []ConfigAction `json:"actions"`
	Reboot   bool           `json:"reboot"` // a part waits for one
	Entry    int            `json:"entry"`  // of the history that is in force now
	TryUntil *time.Time     `json:"try_until,omitempty"`
}

// ConfigAction is one step of applying.
type ConfigAction struct {
	What     string   `json:"what"` // for people
	When     string   `json:"when"` // "live", "restart", "next login", "reboot" or "new instance"
	Keys     []string `json:"keys"` // that changed
	Services []Change `json:"services,omitempty"`
	Error    string   `json:"error,omitempty"` // why it failed
}

// ConfigDiff is the difference of two configurations, without secrets.
type ConfigDiff struct {
	From string   `json:"from"`
	To   string   `json:"to"`
	Keys []string `json:"keys"` // that differ, secret ones too
	Text string   `json:"text"` // a unified diff
}

func configRoutes() []route {
	return []route{
		{
			method: "GET", path: "/v1/config", id: "getConfig", summary: "The configuration in force.",
			query: []parameter{
				{name: "full", kind: "boolean", summary: "With what is built in."},
				{name: "private", kind: "boolean", summary: "With secrets."},
			},
			answer: json.RawMessage{},
			do: func(b Backend, r *http.Request) (any, error) {
				v := values{query: r.URL.Query()}
				o := ConfigOptions{Full: v.bool("full"), Private: v.bool("private")}
				if v.err != nil {
					return nil, v.err
				}
				return b.Config(r.Context(), o)
			},
		},
		{
			method: "GET", path: "/v1/config/file", id: "getConfigFile", summary: "The machine's own file, secrets and all.", answer: ConfigFile{},
			do: func(b Backend, r *http.Request) (any, error) { return b.ConfigFile(r.Context()) },
		},
		{
			method: "POST", path: "/v1/config/edit", id: "editConfig", summary: "Change the machine's file; nothing of it is in force yet.", body: ConfigEdit{}, answer: ConfigEntry{},
			do: withBody(func(b Backend, r *http.Request, o ConfigEdit) (any, error) { return b.EditConfig(r.Context(), o) }),
		},
		{
			method: "POST", path: "/v1/config/apply", id: "applyConfig", summary: "Put in force what the sources say now, as far as it changed.", body: ConfigApply{}, answer: ConfigApplied{},
			do: withBody(func(b Backend, r *http.Request, o ConfigApply) (any, error) { return b.ApplyConfig(r.Context(), o) }),
		},
		{
			method: "POST", path: "/v1/config/confirm", id: "confirmConfig", summary: "Keep what is on trial.", answer: ConfigEntry{},
			do: func(b Backend, r *http.Request) (any, error) { return b.ConfirmConfig(r.Context()) },
		},
		{
			method: "POST", path: "/v1/config/rollback", id: "rollbackConfig", summary: "Put an earlier state of the machine's files in force.", body: ConfigRollback{}, answer: ConfigApplied{},
			do: withBody(func(b Backend, r *http.Request, o ConfigRollback) (any, error) {
				return b.RollbackConfig(r.Context(), o)
			}),
		},
		{
			method: "GET", path: "/v1/config/history", id: "listConfigHistory", summary: "The states of the machine's files, the oldest first.", answer: []ConfigEntry{},
			do: func(b Backend, r *http.Request) (any, error) { return list(b.ConfigHistory(r.Context())) },
		},
		{
			method: "GET", path: "/v1/config/diff", id: "diffConfig", summary: "The difference of two configurations, without secrets.",
			query: []parameter{
				{name: "from", kind: "integer", summary: "Entry of the history; absent: what is in force."},
				{name: "to", kind: "integer", summary: "Entry of the history; absent: what the next apply makes of the sources or, with from, the files as they are."},
			},
			answer: ConfigDiff{},
			do: func(b Backend, r *http.Request) (any, error) {
				v := values{query: r.URL.Query()}
				number := func(name string) int {
					if n := v.int(name, 1, 1<<31-1); n != nil {
						return *n
					}
					return 0
				}
				from, to := number("from"), number("to")
				if v.err != nil {
					return nil, v.err
				}
				return b.ConfigDiff(r.Context(), from, to)
			},
		},
	}
}

// Config gives the configuration in force as JSON.
func (c *Client) Config(ctx context.Context, o ConfigOptions) (raw json.RawMessage, err error) {
	query := url.Values{}
	for name, on := range map[string]bool{"full": o.Full, "private": o.Private} {
		if on {
			query.Set(name, "true")
		}
	}
	return raw, c.get(ctx, "/v1/config", query, &raw)
}

// ConfigFile gives the machine's own file.
func (c *Client) ConfigFile(ctx context.Context) (f ConfigFile, err error) {
	return f, c.get(ctx, "/v1/config/file", nil, &f)
}

// EditConfig changes the machine's file.
func (c *Client) EditConfig(ctx context.Context, o ConfigEdit) (e ConfigEntry, err error) {
	return e, c.call(ctx, http.MethodPost, "/v1/config/edit", nil, o, &e)
}

// ApplyConfig puts in force what has changed.
func (c *Client) ApplyConfig(ctx context.Context, o ConfigApply) (a ConfigApplied, err error) {
	return a, c.call(ctx, http.MethodPost, "/v1/config/apply", nil, o, &a)
}

// ConfirmConfig keeps what is on trial.
func (c *Client) ConfirmConfig(ctx context.Context) (e ConfigEntry, err error) {
	return e, c.call(ctx, http.MethodPost, "/v1/config/confirm", nil, nil, &e)
}

// RollbackConfig goes back to an earlier state.
func (c *Client) RollbackConfig(ctx context.Context, o ConfigRollback) (a ConfigApplied, err error) {
	return a, c.call(ctx, http.MethodPost, "/v1/config/rollback", nil, o, &a)
}

// ConfigHistory lists the states of the machine's files.
func (c *Client) ConfigHistory(ctx context.Context) (entries []ConfigEntry, err error) {
	return entries, c.get(ctx, "/v1/config/history", nil, &entries)
}

// ConfigDiff gives the difference of two states; 0 as in the route.
func (c *Client) ConfigDiff(ctx context.Context, from, to int) (d ConfigDiff, err error) {
	query := url.Values{}
	for name, id := range map[string]int{"from": from, "to": to} {
		if id != 0 {
			query.Set(name, strconv.Itoa(id))
		}
	}
	return d, c.get(ctx, "/v1/config/diff", query, &d)
}
