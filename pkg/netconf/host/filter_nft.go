package host

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"github.com/testudo-os/testudo/pkg/netplan"
)

// filterTable is the one table that is ours.
const filterTable = "testudo"

// Filter puts the firewall in force, or takes it away: one table with one
// chain for what comes to the host itself. It is replaced in one transaction,
// so that there is no moment without it. Other tables are other people's.
func (h *Host) Filter(f netplan.Firewall) error {
	want := ""
	if f.On() {
		want = fmt.Sprintf("%v %v", f.Rules(), f.Trusted)
	}
	if want == h.filtered {
		return nil
	}
	conn, err := nftables.New()
	if err != nil {
		return fmt.Errorf("firewall: %w", err)
	}
	table := &nftables.Table{Family: nftables.TableFamilyINet, Name: filterTable}
	// Adding it first makes deleting it no error when there is none.
	conn.AddTable(table)
	conn.DelTable(table)
	if f.On() {
		build(conn, f)
	}
	if err := conn.Flush(); err != nil {
		return fmt.Errorf("firewall: %w", err)
	}
	h.filtered = want
	return nil
}

func build(conn *nftables.Conn, f netplan.Firewall) {
	table := conn.AddTable(&nftables.Table{Family: nftables.TableFamilyINet, Name: filterTable})
	drop := nftables.ChainPolicyDrop
	chain := conn.AddChain(&nftables.Chain{Name: "input", Table: table, Type: nftables.ChainTypeFilter,
		Hooknum: nftables.ChainHookInput, Priority: nftables.ChainPriorityFilter, Policy: &drop})
	accept := func(match ...expr.Any) {
		conn.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: append(match, &expr.Verdict{Kind: expr.VerdictAccept})})
	}
	accept(known()...)
	accept(interfaceIs("lo")...)
	for _, name := range f.Trusted {
		accept(interfaceIs(name)...)
	}
	// Errors, path MTU, and for IPv6 neighbours and routers: without them
	// connections hang and addresses are lost.
	accept(protocolIs(unix.IPPROTO_ICMP)...)
	accept(protocolIs(unix.IPPROTO_ICMPV6)...)
	// Answers of DHCP servers belong to no connection the kernel knows.
	accept(append(protocolIs(unix.IPPROTO_UDP), ports(clientPort, clientPort)...)...)
	accept(append(protocolIs(unix.IPPROTO_UDP), ports(client6Port, client6Port)...)...)
	for _, r := range f.Rules() {
		var match []expr.Any
		if r.From.IsValid() {
			match = from(r.From)
		}
		protocol := map[string]byte{"tcp": unix.IPPROTO_TCP, "udp": unix.IPPROTO_UDP}[r.Protocol]
		match = append(append(match, protocolIs(protocol)...), ports(r.Low, r.High)...)
		accept(match...)
	}
}

// known is what belongs to a connection that was let in or began here.
func known() []expr.Any {
	return []expr.Any{
		&expr.Ct{Register: 1, Key: expr.CtKeySTATE},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 4,
			Mask: binaryutil.NativeEndian.PutUint32(expr.CtStateBitESTABLISHED | expr.CtStateBitRELATED), Xor: make([]byte, 4)},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: make([]byte, 4)},
	}
}

func interfaceIs(name string) []expr.Any {
	data := make([]byte, unix.IFNAMSIZ)
	copy(data, name)
	if prefix, ok := strings.CutSuffix(name, "*"); ok {
		data = []byte(prefix)
	}
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyIIFNAME, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: data},
	}
}

func protocolIs(p byte) []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{p}},
	}
}

// ports compares the destination's.
func ports(low, high uint16) []expr.Any {
	return []expr.Any{
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
		&expr.Range{Op: expr.CmpOpEq, Register: 1, FromData: binary.BigEndian.AppendUint16(nil, low), ToData: binary.BigEndian.AppendUint16(nil, high)},
	}
}

// from compares the source's network.
func from(p netip.Prefix) []expr.Any {
	family, offset := byte(unix.NFPROTO_IPV4), uint32(12)
	if p.Addr().Is6() {
		family, offset = unix.NFPROTO_IPV6, 8
	}
	base := p.Masked().Addr().AsSlice()
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{family}},
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: uint32(len(base))},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: uint32(len(base)), Mask: network(p).Mask, Xor: make([]byte, len(base))},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: base},
	}
}
