package api

import (
	"context"
	"net/http"

	"github.com/testudo-os/testudo/pkg/netstatus"
)

// Network is the state of the machine's network, as the network service tells it.
type Network = netstatus.Network

// Network gives the state of the network.
func (c *Client) Network(ctx context.Context) (n Network, err error) {
	return n, c.get(ctx, "/v1/network", nil, &n)
}

// WatchNetwork calls state with how the network is now, and whenever that
// changes, until ctx ends.
func (c *Client) WatchNetwork(ctx context.Context, state func(Network) error) error {
	return stream(ctx, c, "/v1/network/watch", nil, state)
}

// networkRoutes are those of the network.
func networkRoutes() []route {
	return []route{
		{
			method: "GET", path: "/v1/network", id: "getNetwork", summary: "Interfaces, leases, routes and names, and why the machine is not online.", answer: Network{},
			do: func(b Backend, r *http.Request) (any, error) { return b.Network(r.Context()) },
		},
		{
			method: "GET", path: "/v1/network/watch", id: "watchNetwork", summary: "The same now and whenever it changes; the answer has no end.", answer: Network{}, stream: true, live: true,
			flow: func(b Backend, r *http.Request, send func(any) error) error {
				return b.WatchNetwork(r.Context(), func(n Network) error { return send(n) })
			},
		},
	}
}
