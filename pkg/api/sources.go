package api

import (
	"context"
	"net/http"
	"time"
)

// Sources is which datasource counts, and why each other does not.
type Sources struct {
	Machine  string    `json:"machine"`            // what SMBIOS calls it
	Request  string    `json:"request,omitempty"`  // who names datasources: a kernel argument, say
	Used     string    `json:"used,omitempty"`     // the source whose data count; "" without one
	Instance string    `json:"instance,omitempty"` // its instance id
	Kept     bool      `json:"kept"`               // they are the copy of an earlier boot
	Pending  string    `json:"pending,omitempty"`  // for people: what is still being asked
	Since    time.Time `json:"since"`              // of this state
	Sources  []Source  `json:"sources"`            // the most specific first
	Problems []string  `json:"problems"`
}

// Source is one datasource.
type Source struct {
	Name   string      `json:"name"`
	State  SourceState `json:"state"`
	Reason string      `json:"reason"`           // the fact for or against asking it
	Result string      `json:"result,omitempty"` // what asking it came to
	Took   float64     `json:"took_seconds,omitempty"`
}

// SourceState says where a datasource stands. The set is closed.
type SourceState string

const (
	SourceUsed   SourceState = "used"
	SourceAsked  SourceState = "asked"  // and not used
	SourceAsking SourceState = "asking" // there is no answer yet
	SourcePassed SourceState = "passed" // nothing speaks for it: it is not asked
)

// Sources says which datasource counts, and why.
func (c *Client) Sources(ctx context.Context) (s Sources, err error) {
	return s, c.get(ctx, "/v1/config/sources", nil, &s)
}

func sourceRoutes() []route {
	return []route{{
		method: "GET", path: "/v1/config/sources", id: "getSources", summary: "Which datasource counts, and why.", answer: Sources{},
		do: func(b Backend, r *http.Request) (any, error) { return b.Sources(r.Context()) },
	}}
}
