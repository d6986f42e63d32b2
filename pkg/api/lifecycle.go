package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"
)

// Lifecycle is the part of Backend that changes what services run.
type Lifecycle interface {
	Up(ctx context.Context, o Up) ([]Change, error)
	Kill(ctx context.Context, name string, o Kill) (Service, error)
	Exec(ctx context.Context, name string, o Exec) (Process, error)
	Pull(ctx context.Context, name string, progress func(Progress)) (Image, error)
	Upgrade(ctx context.Context, name string, o Upgrade, progress func(Progress)) (Upgraded, error)
	Rollback(ctx context.Context, name string) (Upgraded, error)
	Images(ctx context.Context) ([]Image, error)
	Import(ctx context.Context, o Import, progress func(Progress)) (Image, error)
	RemoveImage(ctx context.Context, o RemoveImage) error
}

// Change is what `ros service up` does, or would do, to one service.
type Change struct {
	Service string       `json:"service"`
	Action  ChangeAction `json:"action"`
	Reason  string       `json:"reason"`
	Keys    []string     `json:"keys,omitempty"`   // in which its declaration differs
	Pull    bool         `json:"pull,omitempty"`   // its image is to be fetched first
	Result  *Service     `json:"result,omitempty"` // how it is afterwards
	Error   string       `json:"error,omitempty"`  // why it failed
}

// ChangeAction is a kind of change. The set is closed.
type ChangeAction string

const (
	ChangeStart   ChangeAction = "start"
	ChangeRestart ChangeAction = "restart"
	ChangeStop    ChangeAction = "stop"
	ChangeUpdate  ChangeAction = "update"  // taken over without touching what runs
	ChangePull    ChangeAction = "pull"    // its image is looked up in the registry; a newer one is run
	ChangeInvalid ChangeAction = "invalid" // nothing: the new declaration is bad
)

// Up is the body of POST /v1/up.
type Up struct {
	Services []string `json:"services,omitempty"` // none: all
	DryRun   bool     `json:"dry_run,omitempty"`
}

// Progress is one line of the answer of what takes long. The last line has
// Error or one of the results.
type Progress struct {
	Step  string `json:"step,omitempty"`  // "pull", "import", "on trial for 30s"
	Done  int64  `json:"done,omitempty"`  // bytes
	Total int64  `json:"total,omitempty"` // bytes

	Error    string    `json:"error,omitempty"`
	Image    *Image    `json:"image,omitempty"`
	Upgraded *Upgraded `json:"upgraded,omitempty"`
}

// Image is an image that did not come with the release.
type Image struct {
	Ref    string    `json:"ref"`
	Digest string    `json:"digest"`
	Size   int64     `json:"size"`
	Added  time.Time `json:"added"`
	Used   []string  `json:"used,omitempty"` // by services
}

// Upgrade is the body of POST /v1/services/{name}/upgrade.
type Upgrade struct {
	Image  string        `json:"image,omitempty"`  // "": the one its file names
	Digest string        `json:"digest,omitempty"` // that the image must have
	Window time.Duration `json:"window,omitempty"` // nanoseconds; 0: 30 s
}

// Upgraded says where a service was moved to.
type Upgraded struct {
	Service   string `json:"service"`
	Image     string `json:"image"`
	Previous  string `json:"previous"`
	Unchanged bool   `json:"unchanged,omitempty"` // it ran that image already
}

// Kill is the body of POST /v1/services/{name}/kill.
type Kill struct {
	Signal string `json:"signal,omitempty"` // "SIGHUP", "HUP" or "1"; "": SIGKILL
}

// Import is the body of POST /v1/images/import.
type Import struct {
	Path string `json:"path"`           // of an OCI image layout or a tar archive of one, on the machine
	Ref  string `json:"ref,omitempty"`  // what to call it; "": as the layout does
	Name string `json:"name,omitempty"` // which of the layout's images
}

// RemoveImage is the body of POST /v1/images/remove.
type RemoveImage struct {
	Ref string `json:"ref"`
}

func lifecycleRoutes() []route {
	return []route{
		execRoute(),
		{
			method: "POST", path: "/v1/up", id: "up", summary: "Read the service files again and apply them; the answer comes when all that changes has settled.",
			body: Up{}, answer: []Change{},
			do: withBody(func(b Backend, r *http.Request, o Up) (any, error) { return list(b.Up(r.Context(), o)) }),
		},
		{
			method: "POST", path: "/v1/services/{name}/kill", id: "killService", summary: "Send a signal to its first process.", body: Kill{}, answer: Service{},
			do: withBody(func(b Backend, r *http.Request, o Kill) (any, error) {
				return b.Kill(r.Context(), r.PathValue("name"), o)
			}),
		},
		{
			method: "POST", path: "/v1/services/{name}/pull", id: "pullService", summary: "Fetch the image that it names.", answer: Progress{}, stream: true, live: true,
			flow: func(b Backend, r *http.Request, send func(any) error) error {
				return finish(send, func(tell func(Progress)) (p Progress, err error) {
					image, err := b.Pull(r.Context(), r.PathValue("name"), tell)
					return Progress{Image: &image}, err
				})
			},
		},
		{
			method: "POST", path: "/v1/services/{name}/upgrade", id: "upgradeService",
			summary: "Move it to a new image; the last line comes when that has proved itself, or the old one runs again.",
			body:    Upgrade{}, answer: Progress{}, stream: true, live: true,
			flow: func(b Backend, r *http.Request, send func(any) error) error {
				var o Upgrade
				if err := readBody(r, &o); err != nil {
					return err
				}
				return finish(send, func(tell func(Progress)) (p Progress, err error) {
					done, err := b.Upgrade(r.Context(), r.PathValue("name"), o, tell)
					return Progress{Upgraded: &done}, err
				})
			},
		},
		{
			method: "POST", path: "/v1/services/{name}/rollback", id: "rollbackService", summary: "Move it back to the image before.", answer: Upgraded{},
			do: func(b Backend, r *http.Request) (any, error) { return b.Rollback(r.Context(), r.PathValue("name")) },
		},
		{
			method: "GET", path: "/v1/images", id: "listImages", summary: "The images that did not come with the release.", answer: []Image{},
			do: func(b Backend, r *http.Request) (any, error) { return list(b.Images(r.Context())) },
		},
		{
			method: "POST", path: "/v1/images/import", id: "importImage", summary: "Take in an image from an OCI image layout.",
			body: Import{}, answer: Progress{}, stream: true, live: true,
			flow: func(b Backend, r *http.Request, send func(any) error) error {
				var o Import
				if err := readBody(r, &o); err != nil {
					return err
				}
				return finish(send, func(tell func(Progress)) (p Progress, err error) {
					image, err := b.Import(r.Context(), o, tell)
					return Progress{Image: &image}, err
				})
			},
		},
		{
			method: "POST", path: "/v1/images/remove", id: "removeImage", summary: "Forget an image that no service needs.", body: RemoveImage{}, answer: struct{}{},
			do: withBody(func(b Backend, r *http.Request, o RemoveImage) (any, error) {
				return struct{}{}, b.RemoveImage(r.Context(), o)
			}),
		},
	}
}

// withBody reads a request's body first.
func withBody[T any](do func(b Backend, r *http.Request, body T) (any, error)) func(Backend, *http.Request) (any, error) {
	return func(b Backend, r *http.Request) (any, error) {
		var body T
		if err := readBody(r, &body); err != nil {
			return nil, err
		}
		return do(b, r, body)
	}
}

// tellEvery keeps progress from being all that is sent.
const tellEvery = 200 * time.Millisecond

// finish sends the progress of work and, as the last line, its result or its
// error. An error before the first line is a proper answer.
func finish(send func(any) error, work func(tell func(Progress)) (Progress, error)) error {
	var told bool
	var step string
	var last time.Time
	result, err := work(func(p Progress) {
		if now := time.Now(); now.Sub(last) >= tellEvery || p.Step != step {
			told, last, step = true, now, p.Step
			_ = send(p) // who has gone misses it; the work goes on
		}
	})
	switch {
	case err == nil:
		return send(result)
	case told:
		return send(Progress{Error: err.Error()})
	}
	return err
}

// Up has the service files read again and applied, and returns when all that
// changes has settled.
func (c *Client) Up(ctx context.Context, o Up) (changes []Change, err error) {
	return changes, c.call(ctx, http.MethodPost, "/v1/up", nil, o, &changes)
}

// Kill sends a signal to a service's first process.
func (c *Client) Kill(ctx context.Context, name string, o Kill) (s Service, err error) {
	return s, c.call(ctx, http.MethodPost, servicePath(name)+"/kill", nil, o, &s)
}

// Pull fetches the image that a service names.
func (c *Client) Pull(ctx context.Context, name string, progress func(Progress)) (Image, error) {
	last, err := c.progress(ctx, servicePath(name)+"/pull", nil, progress)
	return result(last.Image, err)
}

// Upgrade moves a service to a new image, and returns when that has proved
// itself or the old one runs again.
func (c *Client) Upgrade(ctx context.Context, name string, o Upgrade, progress func(Progress)) (Upgraded, error) {
	last, err := c.progress(ctx, servicePath(name)+"/upgrade", o, progress)
	return result(last.Upgraded, err)
}

// Rollback moves a service back to the image before.
func (c *Client) Rollback(ctx context.Context, name string) (u Upgraded, err error) {
	return u, c.call(ctx, http.MethodPost, servicePath(name)+"/rollback", nil, nil, &u)
}

// Images lists what did not come with the release.
func (c *Client) Images(ctx context.Context) (images []Image, err error) {
	return images, c.get(ctx, "/v1/images", nil, &images)
}

// Import takes in an image from a file or folder on the machine.
func (c *Client) Import(ctx context.Context, o Import, progress func(Progress)) (Image, error) {
	last, err := c.progress(ctx, "/v1/images/import", o, progress)
	return result(last.Image, err)
}

// RemoveImage forgets an image that no service needs.
func (c *Client) RemoveImage(ctx context.Context, ref string) error {
	return c.call(ctx, http.MethodPost, "/v1/images/remove", nil, RemoveImage{Ref: ref}, nil)
}

// progress sends a request and reads its lines to the last.
func (c *Client) progress(ctx context.Context, path string, in any, tell func(Progress)) (last Progress, err error) {
	body, err := c.send(ctx, http.MethodPost, path, nil, in)
	if err != nil {
		return last, err
	}
	defer body.Close()
	decoder := json.NewDecoder(body)
	for {
		var p Progress
		switch err := decoder.Decode(&p); {
		case err != nil: // the last line was to come
			return last, c.explain(ctx, err)
		case p.Error != "":
			return last, errors.New(p.Error)
		case p.Image != nil || p.Upgraded != nil:
			return p, nil
		}
		tell(p)
	}
}

func result[T any](value *T, err error) (T, error) {
	if value == nil {
		var none T
		if err == nil {
			err = errors.New("rosd gave another answer than was asked for")
		}
		return none, err
	}
	return *value, err
}
