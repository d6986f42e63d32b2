package registry

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/containerd/containerd/v2/core/remotes"
	"github.com/containerd/containerd/v2/core/remotes/docker"
	"github.com/containerd/errdefs"
	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
	imagespec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Host says how one registry is reached.
type Host struct {
	Name      string // HOST[:PORT], as it begins the names of images
	Mirrors   []string
	PlainHTTP bool
	CA        string // certificates in PEM, beside the system's
	Username  string
	Password  string
}

// Client fetches images. It is safe for concurrent use.
type Client struct{ resolver remotes.Resolver }

// New makes a client that knows these hosts; others are reached by HTTPS
// without credentials.
func New(hosts []Host) (*Client, error) {
	known := map[string][]docker.RegistryHost{}
	for _, h := range hosts {
		list, err := h.endpoints()
		if err != nil {
			return nil, fmt.Errorf("registry %s: %w", h.Name, err)
		}
		known[h.Name] = list
	}
	return &Client{resolver: docker.NewResolver(docker.ResolverOptions{
		Hosts: func(name string) ([]docker.RegistryHost, error) {
			if list, ok := known[name]; ok {
				return list, nil
			}
			return Host{Name: name}.endpoints()
		},
	})}, nil
}

// endpoints are the mirrors in their order, then the registry itself.
func (h Host) endpoints() ([]docker.RegistryHost, error) {
	client, err := h.client()
	if err != nil {
		return nil, err
	}
	scheme := "https"
	if h.PlainHTTP {
		scheme = "http"
	}
	var list []docker.RegistryHost
	for _, m := range h.Mirrors {
		u, err := url.Parse(m)
		if err != nil || u.Host == "" {
			return nil, fmt.Errorf("mirror %q: want a URL", m)
		}
		list = append(list, docker.RegistryHost{
			Client: client, Authorizer: docker.NewDockerAuthorizer(docker.WithAuthClient(client)),
			Host: u.Host, Scheme: u.Scheme, Path: strings.TrimSuffix(u.Path, "/") + "/v2",
			Capabilities: docker.HostCapabilityPull | docker.HostCapabilityResolve,
		})
	}
	credentials := func(string) (string, string, error) { return h.Username, h.Password, nil }
	return append(list, docker.RegistryHost{
		Client: client, Authorizer: docker.NewDockerAuthorizer(docker.WithAuthClient(client), docker.WithAuthCreds(credentials)),
		Host: h.Name, Scheme: scheme, Path: "/v2",
		Capabilities: docker.HostCapabilityPull | docker.HostCapabilityResolve,
	}), nil
}

// Bounds of what a registry may keep us waiting.
const (
	connectTimeout = 10 * time.Second
	headerTimeout  = 30 * time.Second
	stallTimeout   = time.Minute
)

func (h Host) client() (*http.Client, error) {
	transport := &http.Transport{
		DialContext:           (&net.Dialer{Timeout: connectTimeout}).DialContext,
		TLSHandshakeTimeout:   connectTimeout,
		ResponseHeaderTimeout: headerTimeout,
		MaxIdleConnsPerHost:   2,
		IdleConnTimeout:       10 * time.Second,
	}
	if h.CA != "" {
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool() // a system without any
		}
		if !pool.AppendCertsFromPEM([]byte(h.CA)) {
			return nil, errors.New("ca: there is no certificate in PEM form in it")
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	return &http.Client{Transport: transport}, nil
}

// Image is one image in a registry: a Source for the image store.
type Image struct {
	Ref      string // HOST[:PORT]/NAME[:TAG][@DIGEST], complete
	resolver remotes.Resolver
	fetcher  remotes.Fetcher
}

// Parse checks and completes the name of an image in a registry. Other than
// with Docker, no host is taken for granted.
func Parse(ref string) (reference.Named, error) {
	named, err := reference.ParseNamed(ref)
	if err != nil || !strings.ContainsAny(reference.Domain(named), ".:") && reference.Domain(named) != "localhost" {
		return nil, fmt.Errorf("%q is not an image of a registry: want HOST[:PORT]/NAME[:TAG][@DIGEST]", ref)
	}
	return reference.TagNameOnly(named), nil
}

// Pinned is ref with a digest: that image and no other.
func Pinned(ref string, d digest.Digest) (string, error) {
	named, err := Parse(ref)
	if err != nil {
		return "", err
	}
	return named.Name() + tag(named) + "@" + d.String(), nil
}

// Unpinned is ref without a digest.
func Unpinned(ref string) string {
	name, _, _ := strings.Cut(ref, "@")
	return name
}

func tag(named reference.Named) string {
	if tagged, ok := named.(reference.Tagged); ok {
		return ":" + tagged.Tag()
	}
	return ""
}

// Image is the image of that name.
func (c *Client) Image(ref string) (*Image, error) {
	named, err := Parse(ref)
	if err != nil {
		return nil, err
	}
	return &Image{Ref: named.String(), resolver: c.resolver}, nil
}

// Resolve asks which manifest the name means now.
func (i *Image) Resolve(ctx context.Context) (imagespec.Descriptor, error) {
	_, desc, err := i.resolver.Resolve(ctx, i.Ref)
	if err != nil {
		return desc, plain(err)
	}
	// By digest from here on: the tag may be moved meanwhile.
	pinned, err := Pinned(i.Ref, desc.Digest)
	if err != nil {
		return desc, err
	}
	i.fetcher, err = i.resolver.Fetcher(ctx, pinned)
	return desc, plain(err)
}

// Fetch opens a blob; it ends with an error when nothing comes for a minute.
func (i *Image) Fetch(ctx context.Context, desc imagespec.Descriptor) (io.ReadCloser, error) {
	if i.fetcher == nil {
		return nil, errors.New("fetch before resolve")
	}
	ctx, cancel := context.WithCancelCause(ctx)
	body, err := i.fetcher.Fetch(ctx, desc)
	if err != nil {
		cancel(nil)
		return nil, plain(err)
	}
	return &impatient{body, ctx, cancel, time.AfterFunc(stallTimeout, func() { cancel(errStalled) })}, nil
}

var errStalled = fmt.Errorf("the registry sent nothing for %v", stallTimeout)

// impatient ends a transfer that has stalled.
type impatient struct {
	io.ReadCloser
	ctx    context.Context
	cancel context.CancelCauseFunc
	timer  *time.Timer
}

func (r *impatient) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	if n > 0 {
		r.timer.Reset(stallTimeout)
	}
	if err != nil && !errors.Is(err, io.EOF) && context.Cause(r.ctx) == errStalled {
		err = errStalled
	}
	return n, err
}

func (r *impatient) Close() error {
	r.timer.Stop()
	r.cancel(nil)
	return r.ReadCloser.Close()
}

// plain leaves out the request's URL, which says nothing to people.
func plain(err error) error {
	var urlErr *url.Error
	switch {
	case err == nil:
		return nil
	case errdefs.IsNotFound(err):
		return fmt.Errorf("the registry does not have it: %w", err)
	case errors.As(err, &urlErr):
		return fmt.Errorf("registry at %s: %w", host(urlErr.URL), urlErr.Err)
	}
	return err
}

func host(text string) string {
	if u, err := url.Parse(text); err == nil {
		return u.Host
	}
	return text
}
