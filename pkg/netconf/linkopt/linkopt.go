// Package linkopt encodes and decodes what is particular to a kind of network
// interface, and to a port of a bridge or bond: the attributes below
// IFLA_INFO_DATA and IFLA_INFO_SLAVE_DATA of rtnetlink. An interface's options
// are a map from names to values in one spelling, so that wanted and present
// ones can be compared, and one table serves both ways.
//
// It does no I/O. pkg/netconf and its host import it. vishvananda/netlink has
// types for these kinds, too, which cannot tell "not said" from zero and know
// neither a bridge's spanning tree nor its ports.
package linkopt

import (
	"encoding/binary"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Options are those of one interface or port. Absent ones are left to the
// kernel.
type Options map[string]string

// codec is how one option stands in an attribute.
type codec struct {
	encode func(string) ([]byte, error)
	decode func([]byte) (string, bool)
}

// option is one line of a kind's table.
type option struct {
	name string
	attr uint16
	codec
	live bool // can be changed on an interface that exists
}

// Live says whether all of these options can be changed in place.
func Live(kind string, changed Options) bool {
	for name := range changed {
		if o := find(kind, name); o == nil || !o.live {
			return false
		}
	}
	return true
}

// Changed gives the options of want that have does not have in the same way.
func Changed(want, have Options) Options {
	out := Options{}
	for name, value := range want {
		if got, ok := have[name]; !ok || got != value {
			out[name] = value
		}
	}
	return out
}

func find(kind, name string) *option {
	i := slices.IndexFunc(tables[kind], func(o option) bool { return o.name == name })
	if i < 0 {
		return nil
	}
	return &tables[kind][i]
}

// Attribute is one netlink attribute.
type Attribute struct {
	Type uint16
	Data []byte
}

// Encode gives the attributes for options, in the table's order: the kernel
// looks at some before others.
func Encode(kind string, options Options) ([]Attribute, error) {
	left := maps.Clone(options)
	var out []Attribute
	for _, o := range tables[kind] {
		value, ok := options[o.name]
		if !ok {
			continue
		}
		delete(left, o.name)
		data, err := o.encode(value)
		if err != nil {
			return nil, fmt.Errorf("%s: option %s: %w", kind, o.name, err)
		}
		out = append(out, Attribute{o.attr, data})
	}
	for _, name := range slices.Sorted(maps.Keys(left)) {
		return nil, fmt.Errorf("%s has no option %s", kind, name)
	}
	return out, nil
}

// Decode gives the options in attributes. Those it does not know are skipped.
func Decode(kind string, attributes map[uint16][]byte) Options {
	out := Options{}
	for _, o := range tables[kind] {
		if data, ok := attributes[o.attr]; ok {
			if value, ok := o.decode(data); ok {
				out[o.name] = value
			}
		}
	}
	return out
}

// sized is a number of 1, 2 or 4 bytes.
func sized(size int, order byteOrder) codec {
	return codec{
		encode: func(s string) ([]byte, error) {
			v, err := strconv.ParseUint(s, 10, size*8)
			if err != nil {
				return nil, err
			}
			switch size {
			case 1:
				return []byte{byte(v)}, nil
			case 2:
				return order.AppendUint16(nil, uint16(v)), nil
			}
			return order.AppendUint32(nil, uint32(v)), nil
		},
		decode: func(b []byte) (string, bool) {
			if len(b) != size {
				return "", false
			}
			v := uint64(b[0])
			switch size {
			case 2:
				v = uint64(order.Uint16(b))
			case 4:
				v = uint64(order.Uint32(b))
			}
			return strconv.FormatUint(v, 10), true
		},
	}
}

// byteOrder is one of package binary.
type byteOrder interface {
	binary.ByteOrder
	binary.AppendByteOrder
}

var native byteOrder = binary.LittleEndian // amd64

var (
	u8   = sized(1, native)
	u16  = sized(2, native)
	u32  = sized(4, native)
	be16 = sized(2, binary.BigEndian)
	be32 = sized(4, binary.BigEndian)
)

// yes is a boolean of one byte.
var yes = codec{
	encode: func(s string) ([]byte, error) {
		v, err := strconv.ParseBool(s)
		if v {
			return []byte{1}, err
		}
		return []byte{0}, err
	},
	decode: func(b []byte) (string, bool) { return strconv.FormatBool(len(b) > 0 && b[0] != 0), len(b) == 1 },
}

// wide is a boolean of four bytes.
var wide = codec{
	encode: func(s string) ([]byte, error) {
		b, err := yes.encode(s)
		return append(b, 0, 0, 0), err
	},
	decode: func(b []byte) (string, bool) {
		return strconv.FormatBool(len(b) == 4 && native.Uint32(b) != 0), len(b) == 4
	},
}

// words are texts that the kernel knows by number.
func words(number codec, list ...string) codec {
	return codec{
		encode: func(s string) ([]byte, error) {
			i := slices.Index(list, s)
			if i < 0 {
				return nil, fmt.Errorf("%q is none of %s", s, strings.Join(list, ", "))
			}
			return number.encode(strconv.Itoa(i))
		},
		decode: func(b []byte) (string, bool) {
			text, ok := number.decode(b)
			if !ok {
				return "", false
			}
			i, err := strconv.Atoi(text)
			if err != nil || i >= len(list) {
				return "", false
			}
			return list[i], true
		},
	}
}

// address is an IP address of size bytes; 0 bytes is either.
func address(size int) codec {
	return codec{
		encode: func(s string) ([]byte, error) {
			a, err := netip.ParseAddr(s)
			if err != nil {
				return nil, err
			}
			if size != 0 && a.BitLen() != size*8 {
				return nil, fmt.Errorf("%s is of the other kind", s)
			}
			return a.AsSlice(), nil
		},
		decode: func(b []byte) (string, bool) {
			a, ok := netip.AddrFromSlice(b)
			return a.String(), ok && (size == 0 || len(b) == size)
		},
	}
}

// ports is a range of two, in network order.
var ports = codec{
	encode: func(s string) ([]byte, error) {
		low, high, _ := strings.Cut(s, "-")
		a, err := be16.encode(low)
		if err != nil {
			return nil, err
		}
		b, err := be16.encode(high)
		return append(a, b...), err
	},
	decode: func(b []byte) (string, bool) {
		if len(b) != 4 {
			return "", false
		}
		return fmt.Sprintf("%d-%d", binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])), true
	},
}

// targets are addresses, each an attribute of its own, numbered.
var targets = codec{
	encode: func(s string) ([]byte, error) {
		var out []byte
		n := uint16(0)
		for text := range strings.FieldsSeq(s) {
			a, err := netip.ParseAddr(text)
			if err != nil || !a.Is4() {
				return nil, fmt.Errorf("%q is no IPv4 address", text)
			}
			out = native.AppendUint16(out, 8)
			out = native.AppendUint16(out, n)
			out = append(out, a.AsSlice()...)
			n++
		}
		return out, nil
	},
	decode: func(b []byte) (string, bool) {
		var list []string
		for ; len(b) >= 8; b = b[8:] {
			a, _ := netip.AddrFromSlice(b[4:8])
			list = append(list, a.String())
		}
		return strings.Join(list, " "), len(b) == 0
	},
}
