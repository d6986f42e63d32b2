package api

import (
	"context"
	"net/http"
)

// Declare is a verb that changes what is declared on the machine, for good.
type Declare string

// The verbs of POST /v1/services/{name}/DECLARE.
const (
	DeclareEnable  Declare = "enable"
	DeclareDisable Declare = "disable"
	DeclareCreate  Declare = "create"
	DeclareRemove  Declare = "remove"
)

// Declare enables, disables, creates or removes a service.
func (c *Client) Declare(ctx context.Context, name string, verb Declare, d Declaration) (done Declared, err error) {
	var body any
	if verb == DeclareCreate {
		body = d
	}
	return done, c.call(ctx, http.MethodPost, servicePath(name)+"/"+string(verb), nil, body, &done)
}

// declareRoutes are those of the verbs.
func declareRoutes() (list []route) {
	summaries := map[Declare]string{
		DeclareEnable:  "Have it run, now and after each boot.",
		DeclareDisable: "Have it not run, now and after each boot.",
		DeclareCreate:  "Write a new service file, if it is valid.",
		DeclareRemove:  "Remove its file of the user's.",
	}
	for _, verb := range []Declare{DeclareEnable, DeclareDisable, DeclareCreate, DeclareRemove} {
		rt := route{method: "POST", path: "/v1/services/{name}/" + string(verb), id: string(verb) + "Service",
			summary: summaries[verb], answer: Declared{}}
		if verb == DeclareCreate {
			rt.body = Declaration{}
		}
		rt.do = func(b Backend, r *http.Request) (any, error) {
			var d Declaration
			if rt.body != nil {
				if err := readBody(r, &d); err != nil {
					return nil, err
				}
			}
			return b.Declare(r.Context(), r.PathValue("name"), verb, d)
		}
		list = append(list, rt)
	}
	return list
}
