package host

import (
	"fmt"
	"net"
	"time"

	"golang.zx2c4.com/wireguard/wgctrl"
	"golang.zx2c4.com/wireguard/wgctrl/wgtypes"

	"github.com/testudo-os/testudo/pkg/netconf"
)

// observeTunnel reads a tunnel's configuration. Generic netlink is opened for
// each look: few machines have tunnels, and none looks often.
func (h *Host) observeTunnel(name string) (*netconf.WireGuard, error) {
	client, err := wgctrl.New()
	if err != nil {
		return nil, fmt.Errorf("read WireGuard of %s: %w", name, err)
	}
	defer client.Close()
	device, err := client.Device(name)
	if err != nil {
		return nil, fmt.Errorf("read WireGuard of %s: %w", name, err)
	}
	out := &netconf.WireGuard{Private: device.PrivateKey, Port: device.ListenPort, Mark: device.FirewallMark}
	for _, p := range device.Peers {
		peer := netconf.WireGuardPeer{Public: p.PublicKey, Shared: p.PresharedKey, KeepAlive: int(p.PersistentKeepaliveInterval / time.Second)}
		if p.Endpoint != nil {
			peer.Endpoint = p.Endpoint.AddrPort()
		}
		for _, n := range p.AllowedIPs {
			if prefix, ok := prefixOf(&n); ok {
				peer.Allowed = append(peer.Allowed, prefix)
			}
		}
		out.Peers = append(out.Peers, peer)
	}
	out.Sort()
	return out, nil
}

// setTunnel sets a tunnel's keys and replaces its peers. The kernel keeps the
// sessions of peers whose keys stay.
func (h *Host) setTunnel(a netconf.SetTunnel) error {
	client, err := wgctrl.New()
	if err != nil {
		return err
	}
	defer client.Close()
	private := wgtypes.Key(a.Tunnel.Private)
	config := wgtypes.Config{PrivateKey: &private, FirewallMark: &a.Tunnel.Mark}
	if a.Tunnel.Port != 0 {
		config.ListenPort = &a.Tunnel.Port
	}
	device, err := client.Device(a.Name)
	if err != nil {
		return err
	}
	wanted := map[wgtypes.Key]bool{}
	for _, p := range a.Tunnel.Peers {
		wanted[p.Public] = true
		config.Peers = append(config.Peers, peerConfig(p))
	}
	for _, p := range device.Peers {
		if !wanted[p.PublicKey] {
			config.Peers = append(config.Peers, wgtypes.PeerConfig{PublicKey: p.PublicKey, Remove: true})
		}
	}
	return client.ConfigureDevice(a.Name, config)
}

func peerConfig(p netconf.WireGuardPeer) wgtypes.PeerConfig {
	shared := wgtypes.Key(p.Shared) // all zero removes one
	keep := time.Duration(p.KeepAlive) * time.Second
	out := wgtypes.PeerConfig{PublicKey: p.Public, PresharedKey: &shared, PersistentKeepaliveInterval: &keep, ReplaceAllowedIPs: true}
	if p.Endpoint.IsValid() {
		out.Endpoint = net.UDPAddrFromAddrPort(p.Endpoint)
	}
	for _, prefix := range p.Allowed {
		out.AllowedIPs = append(out.AllowedIPs, *network(prefix))
	}
	return out
}
