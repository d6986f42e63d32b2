package linkopt

import "golang.org/x/sys/unix"

// Attributes of tunnels, which x/sys/unix does not have (linux/if_tunnel.h).
const (
	greLink   = 1
	greIFlags = 2
	greOFlags = 3
	greIKey   = 4
	greOKey   = 5
	greLocal  = 6
	greRemote = 7
	greTTL    = 8
	greTOS    = 9
	iptLink   = 1
	iptLocal  = 2
	iptRemote = 3
	iptTTL    = 4
	iptTOS    = 5
	iptProto  = 9
	vtiLink   = 1
	vtiIKey   = 2
	vtiOKey   = 3
	vtiLocal  = 4
	vtiRemote = 5
)

// PortKind is the kind under which a port of a bridge or bond is known here:
// its options stand in another place than those of the interface itself.
func PortKind(master string) string { return master + "-port" }

// tables hold the options by kind. The order is that of encoding.
var tables = map[string][]option{
	"bond": {
		{"mode", unix.IFLA_BOND_MODE, words(u8, "balance-rr", "active-backup", "balance-xor", "broadcast", "802.3ad", "balance-tlb", "balance-alb"), false},
		{"miimon", unix.IFLA_BOND_MIIMON, u32, true},
		{"updelay", unix.IFLA_BOND_UPDELAY, u32, true},
		{"downdelay", unix.IFLA_BOND_DOWNDELAY, u32, true},
		{"arp_interval", unix.IFLA_BOND_ARP_INTERVAL, u32, true},
		{"arp_ip_target", unix.IFLA_BOND_ARP_IP_TARGET, targets, true},
		{"arp_validate", unix.IFLA_BOND_ARP_VALIDATE, words(u32, "none", "active", "backup", "all", "filter", "filter_active", "filter_backup"), true},
		{"arp_all_targets", unix.IFLA_BOND_ARP_ALL_TARGETS, words(u32, "any", "all"), true},
		{"primary", unix.IFLA_BOND_PRIMARY, u32, true}, // index of a port; taken once it is one
		{"primary_reselect", unix.IFLA_BOND_PRIMARY_RESELECT, words(u8, "always", "better", "failure"), true},
		{"fail_over_mac", unix.IFLA_BOND_FAIL_OVER_MAC, words(u8, "none", "active", "follow"), false},
		{"xmit_hash_policy", unix.IFLA_BOND_XMIT_HASH_POLICY, words(u8, "layer2", "layer3+4", "layer2+3", "encap2+3", "encap3+4", "vlan+srcmac"), true},
		{"resend_igmp", unix.IFLA_BOND_RESEND_IGMP, u32, true},
		{"num_peer_notif", unix.IFLA_BOND_NUM_PEER_NOTIF, u8, true},
		{"all_slaves_active", unix.IFLA_BOND_ALL_SLAVES_ACTIVE, yes, true},
		{"min_links", unix.IFLA_BOND_MIN_LINKS, u32, true},
		{"lp_interval", unix.IFLA_BOND_LP_INTERVAL, u32, true},
		{"packets_per_slave", unix.IFLA_BOND_PACKETS_PER_SLAVE, u32, true},
		{"lacp_rate", unix.IFLA_BOND_AD_LACP_RATE, words(u8, "slow", "fast"), false}, // while it is down
		{"ad_select", unix.IFLA_BOND_AD_SELECT, words(u8, "stable", "bandwidth", "count"), false},
	},
	"bridge": {
		{"stp", unix.IFLA_BR_STP_STATE, wide, true},
		// Times of bridges are hundredths of a second (USER_HZ).
		{"forward_delay", unix.IFLA_BR_FORWARD_DELAY, u32, true},
		{"hello_time", unix.IFLA_BR_HELLO_TIME, u32, true},
		{"max_age", unix.IFLA_BR_MAX_AGE, u32, true},
		{"ageing_time", unix.IFLA_BR_AGEING_TIME, u32, true},
		{"priority", unix.IFLA_BR_PRIORITY, u16, true},
		{"vlan_default_pvid", unix.IFLA_BR_VLAN_DEFAULT_PVID, u16, true},
		{"vlan_filtering", unix.IFLA_BR_VLAN_FILTERING, yes, true},
	},
	"bridge-port": {
		{"cost", unix.IFLA_BRPORT_COST, u32, true},
		{"priority", unix.IFLA_BRPORT_PRIORITY, u16, true},
		{"neigh_suppress", unix.IFLA_BRPORT_NEIGH_SUPPRESS, yes, true},
	},
	"vlan": {
		{"id", unix.IFLA_VLAN_ID, u16, false},
	},
	"vrf": {
		{"table", unix.IFLA_VRF_TABLE, u32, false},
	},
	"vxlan": {
		{"id", unix.IFLA_VXLAN_ID, u32, false},
		{"group", unix.IFLA_VXLAN_GROUP, address(4), false},
		{"group6", unix.IFLA_VXLAN_GROUP6, address(16), false},
		{"local", unix.IFLA_VXLAN_LOCAL, address(4), false},
		{"local6", unix.IFLA_VXLAN_LOCAL6, address(16), false},
		{"link", unix.IFLA_VXLAN_LINK, u32, false},
		{"port", unix.IFLA_VXLAN_PORT, be16, false},
		{"port_range", unix.IFLA_VXLAN_PORT_RANGE, ports, false},
		{"ttl", unix.IFLA_VXLAN_TTL, u8, false},
		{"tos", unix.IFLA_VXLAN_TOS, u8, false},
		{"learning", unix.IFLA_VXLAN_LEARNING, yes, false},
		{"ageing", unix.IFLA_VXLAN_AGEING, u32, true},
		{"limit", unix.IFLA_VXLAN_LIMIT, u32, true},
		{"proxy", unix.IFLA_VXLAN_PROXY, yes, false},
		{"rsc", unix.IFLA_VXLAN_RSC, yes, false},
		{"l2miss", unix.IFLA_VXLAN_L2MISS, yes, false},
		{"l3miss", unix.IFLA_VXLAN_L3MISS, yes, false},
		{"udp_csum", unix.IFLA_VXLAN_UDP_CSUM, yes, false},
		{"udp_zero_csum6_tx", unix.IFLA_VXLAN_UDP_ZERO_CSUM6_TX, yes, false},
		{"udp_zero_csum6_rx", unix.IFLA_VXLAN_UDP_ZERO_CSUM6_RX, yes, false},
		{"remcsum_tx", unix.IFLA_VXLAN_REMCSUM_TX, yes, false},
		{"remcsum_rx", unix.IFLA_VXLAN_REMCSUM_RX, yes, false},
		{"label", unix.IFLA_VXLAN_LABEL, be32, false},
		{"df", unix.IFLA_VXLAN_DF, u8, false},
	},
	"gre": gre(4), "gretap": gre(4), "ip6gre": gre(16), "ip6gretap": gre(16),
	"ipip": iptunnel(4), "sit": iptunnel(4), "ip6tnl": iptunnel(16),
	"vti": vti(4), "vti6": vti(16),
}

func gre(size int) []option {
	return []option{
		{"link", greLink, u32, false},
		{"iflags", greIFlags, be16, false},
		{"oflags", greOFlags, be16, false},
		{"ikey", greIKey, be32, false},
		{"okey", greOKey, be32, false},
		{"local", greLocal, address(size), false},
		{"remote", greRemote, address(size), false},
		{"ttl", greTTL, u8, false},
		{"tos", greTOS, u8, false},
	}
}

func iptunnel(size int) []option {
	return []option{
		{"link", iptLink, u32, false},
		{"local", iptLocal, address(size), false},
		{"remote", iptRemote, address(size), false},
		{"ttl", iptTTL, u8, false},
		{"tos", iptTOS, u8, false},
		{"proto", iptProto, u8, false}, // 4: IPv4 inside, 41: IPv6
	}
}

func vti(size int) []option {
	return []option{
		{"link", vtiLink, u32, false},
		{"ikey", vtiIKey, be32, false},
		{"okey", vtiOKey, be32, false},
		{"local", vtiLocal, address(size), false},
		{"remote", vtiRemote, address(size), false},
	}
}
