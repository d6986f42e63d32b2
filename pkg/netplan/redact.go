package netplan

import "slices"

// Redacted is a copy without secrets: WireGuard's private and shared keys.
func (c *Config) Redacted() *Config {
	if c == nil {
		return nil
	}
	out := *c
	if len(c.Tunnels) == 0 {
		return &out
	}
	out.Tunnels = map[string]*Tunnel{}
	for id, t := range c.Tunnels {
		copied := *t
		hide(&copied.Key.Secret)
		hide(&copied.Keys.Private)
		hide(&copied.Keys.Input.Secret)
		hide(&copied.Keys.Output.Secret)
		copied.Peers = slices.Clone(t.Peers)
		for i := range copied.Peers {
			hide(&copied.Peers[i].Keys.Shared)
		}
		out.Tunnels[id] = &copied
	}
	return &out
}

func hide(k *Key) {
	if *k != "" {
		*k = Redacted
	}
}
