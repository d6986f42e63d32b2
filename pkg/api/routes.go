package api

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
)

// Backend answers the API's questions; rosd has one.
type Backend interface {
	Status(ctx context.Context) (Status, error)
	Version(ctx context.Context) (Version, error)
	Services(ctx context.Context) ([]Service, error)
	Service(ctx context.Context, name string) (Service, error)
	Inspect(ctx context.Context, name string) (any, error)
	Do(ctx context.Context, name string, verb Verb) (Service, error)
	Declare(ctx context.Context, name string, verb Declare, d Declaration) (Declared, error)
	Lifecycle
	Usage(ctx context.Context) ([]Usage, error)
	Logs(ctx context.Context, o LogOptions, line func(LogLine) error) error
	Events(ctx context.Context, o EventOptions, event func(SystemEvent) error) error
	Boot(ctx context.Context) ([]BootStep, error)
	Power(ctx context.Context, action string) error
	Configuration
	Network(ctx context.Context) (Network, error)
	WatchNetwork(ctx context.Context, state func(Network) error) error
}

// route is one operation of the API. The table of routes is what Handler serves
// and what openapi.json describes, so that neither says more than the other.
type route struct {
	method, path string
	id           string // operationId
	summary      string
	query        []parameter
	body         any  // of this type; nil: none
	answer       any  // of this type; json.RawMessage: any JSON; nil: an empty object
	stream       bool // the answer is JSON lines, each of type answer
	live         bool // and each is sent as soon as it is there

	// One of the two.
	do   func(b Backend, r *http.Request) (any, error)
	flow func(b Backend, r *http.Request, send func(any) error) error
}

// parameter is one that may stand in a route's query.
type parameter struct {
	name    string
	kind    string // of JSON: "string", "integer", "boolean"
	format  string // of JSON Schema
	repeats bool
	summary string
}

var tail = parameter{name: "tail", kind: "integer", summary: "The last so many; all when absent."}
var follow = parameter{name: "follow", kind: "boolean", summary: "Go on with what is to come; the answer then has no end."}

// routes lists every operation.
func routes() []route {
	list := []route{
		{
			method: "GET", path: "/v1/status", id: "getStatus", summary: "The whole machine's state.", answer: Status{},
			do: func(b Backend, r *http.Request) (any, error) { return b.Status(r.Context()) },
		},
		{
			method: "GET", path: "/v1/version", id: "getVersion", summary: "Which release runs.", answer: Version{},
			do: func(b Backend, r *http.Request) (any, error) { return b.Version(r.Context()) },
		},
		{
			method: "GET", path: "/v1/boot", id: "getBoot", summary: "The steps of init, and the services' ways to ready.", answer: []BootStep{},
			do: func(b Backend, r *http.Request) (any, error) { return list(b.Boot(r.Context())) },
		},
		{
			method: "GET", path: "/v1/usage", id: "getUsage", summary: "What each running service uses.", answer: []Usage{},
			do: func(b Backend, r *http.Request) (any, error) { return list(b.Usage(r.Context())) },
		},
		{
			method: "GET", path: "/v1/services", id: "listServices", summary: "Every service, by name, without its history.", answer: []Service{},
			do: func(b Backend, r *http.Request) (any, error) { return list(b.Services(r.Context())) },
		},
		{
			method: "GET", path: "/v1/services/{name}", id: "getService", summary: "One service with its history.", answer: Service{},
			do: func(b Backend, r *http.Request) (any, error) { return b.Service(r.Context(), r.PathValue("name")) },
		},
		{
			method: "GET", path: "/v1/services/{name}/inspect", id: "inspectService", summary: "A service as resolved, with its image.", answer: json.RawMessage{},
			do: func(b Backend, r *http.Request) (any, error) { return b.Inspect(r.Context(), r.PathValue("name")) },
		},
		{
			method: "GET", path: "/v1/logs", id: "readLogs", summary: "Lines of logs in the order in which they were written.",
			query: logParameters, answer: LogLine{}, stream: true, flow: sendLogs,
		},
		{
			method: "GET", path: "/v1/events", id: "readEvents", summary: "What happens to services, oldest first.",
			query: []parameter{tail, follow}, answer: SystemEvent{}, stream: true, flow: sendEvents,
		},
		{
			method: "POST", path: "/v1/power", id: "power", summary: "Begin the way down.", body: Power{},
			do: func(b Backend, r *http.Request) (any, error) {
				var body Power
				if err := readBody(r, &body); err != nil {
					return nil, err
				}
				return struct{}{}, b.Power(r.Context(), body.Action)
			},
		},
		{
			method: "GET", path: "/v1/openapi.json", id: "getOpenAPI", summary: "This document.", answer: json.RawMessage{},
			do: func(Backend, *http.Request) (any, error) { return json.RawMessage(OpenAPI), nil },
		},
	}
	for _, verb := range []Verb{VerbStart, VerbStop, VerbRestart} {
		list = append(list, route{
			method: "POST", path: "/v1/services/{name}/" + string(verb), id: string(verb) + "Service",
			summary: "Do it, and answer when it is done.", answer: Service{},
			do: func(b Backend, r *http.Request) (any, error) { return b.Do(r.Context(), r.PathValue("name"), verb) },
		})
	}
	return slices.Concat(list, declareRoutes(), lifecycleRoutes(), configRoutes(), networkRoutes())
}

// list makes "none" an empty list and not JSON's null.
func list[T any](items []T, err error) ([]T, error) {
	if items == nil {
		items = []T{}
	}
	return items, err
}
