package host

import (
	"encoding/binary"
	"errors"
	"net/netip"
)

// IPv4 and UDP headers for a host that may have no address yet: the kernel's
// own UDP cannot send from 0.0.0.0 nor receive for an address not configured.
const (
	ipHeader   = 20
	udpHeader  = 8
	protoUDP   = 17
	serverPort = 67
	clientPort = 68
)

var errNotDHCP = errors.New("not a DHCP answer")

// encodeFrame puts a DHCP message to a server in an IPv4 packet.
func encodeFrame(from, to netip.Addr, message []byte) []byte {
	b := make([]byte, ipHeader+udpHeader+len(message))
	b[0] = 0x45 // version 4, five words
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	b[8] = 64 // time to live
	b[9] = protoUDP
	source, target := from.As4(), to.As4()
	copy(b[12:], source[:])
	copy(b[16:], target[:])
	binary.BigEndian.PutUint16(b[10:], uint16(^sum(0, b[:ipHeader])))

	udp := b[ipHeader:]
	binary.BigEndian.PutUint16(udp[0:], clientPort)
	binary.BigEndian.PutUint16(udp[2:], serverPort)
	binary.BigEndian.PutUint16(udp[4:], uint16(len(udp)))
	copy(udp[udpHeader:], message)
	check := ^sum(sum(protoUDP+uint32(len(udp)), b[12:20]).wide(), udp)
	if check == 0 {
		check = 0xffff // zero would mean "no checksum"
	}
	binary.BigEndian.PutUint16(udp[6:], uint16(check))
	return b
}

// decodeFrame returns the UDP payload of a packet to the client port. The UDP
// checksum is not looked at: a packet from a server on the same host may come
// before the (virtual) hardware has filled it in.
func decodeFrame(b []byte) ([]byte, error) {
	if len(b) < ipHeader || b[0]>>4 != 4 {
		return nil, errNotDHCP
	}
	header, total := int(b[0]&15)*4, int(binary.BigEndian.Uint16(b[2:]))
	if header < ipHeader || total < header+udpHeader || total > len(b) || b[9] != protoUDP ||
		binary.BigEndian.Uint16(b[6:])&0x3fff != 0 { // a fragment
		return nil, errNotDHCP
	}
	udp := b[header:total]
	size := int(binary.BigEndian.Uint16(udp[4:]))
	if binary.BigEndian.Uint16(udp[2:]) != clientPort || size < udpHeader || size > len(udp) {
		return nil, errNotDHCP
	}
	return udp[udpHeader:size], nil
}

// checksum is a ones' complement sum (RFC 1071).
type checksum uint16

func (c checksum) wide() uint32 { return uint32(c) }

func sum(start uint32, b []byte) checksum {
	for ; len(b) > 1; b = b[2:] {
		start += uint32(b[0])<<8 | uint32(b[1])
	}
	if len(b) == 1 {
		start += uint32(b[0]) << 8
	}
	for start > 0xffff {
		start = start>>16 + start&0xffff
	}
	return checksum(start)
}
