package uki

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// Offsets and sizes are those of the PE format (Microsoft's "PE Format", the
// chapters on the COFF header, the optional header PE32+ and the section table).
const (
	offsetOfPE      = 0x3c // in the DOS header: where the signature is
	coffSize        = 24   // signature and COFF header
	sectionSize     = 40   // one row of the section table
	certificateRow  = 4    // of the data directories: the signature
	initializedData = 0x40
	readable        = 0x40000000
)

// Build adds sections to a stub that has not been signed.
func Build(stub []byte, sections []Section) ([]byte, error) {
	h, err := parseHeader(stub)
	if err != nil {
		return nil, fmt.Errorf("EFI stub: %w", err)
	}
	if need := h.table + (h.sections+len(sections))*sectionSize; need > h.headers {
		return nil, fmt.Errorf("EFI stub: its headers have no room for %d more sections", len(sections))
	}
	out := pad(append([]byte(nil), stub...), h.fileAlign)
	le := binary.LittleEndian
	address, initialized := align(h.end, h.sectionAlign), uint64(le.Uint32(out[h.optional+8:]))
	for i, s := range sections {
		if len(s.Name) == 0 || len(s.Name) > 8 {
			return nil, fmt.Errorf("section %q: a name has 1 to 8 characters", s.Name)
		}
		if len(s.Data) == 0 {
			return nil, fmt.Errorf("section %s is empty", s.Name)
		}
		raw := align(uint64(len(s.Data)), h.fileAlign)
		if address+raw > math.MaxUint32 || uint64(len(out))+raw > math.MaxUint32 {
			return nil, errors.New("the image would be larger than the 4 GiB that the format allows")
		}
		row := out[h.table+(h.sections+i)*sectionSize:][:sectionSize]
		clear(row)
		copy(row[:8], s.Name)
		le.PutUint32(row[8:], uint32(len(s.Data)))
		le.PutUint32(row[12:], uint32(address))
		le.PutUint32(row[16:], uint32(raw))
		le.PutUint32(row[20:], uint32(len(out)))
		le.PutUint32(row[36:], initializedData|readable)
		out = pad(append(out, s.Data...), h.fileAlign)
		address = align(address+uint64(len(s.Data)), h.sectionAlign)
		initialized += raw
	}
	le.PutUint16(out[h.coff+6:], uint16(h.sections+len(sections)))
	le.PutUint32(out[h.optional+8:], uint32(initialized)) // SizeOfInitializedData
	le.PutUint32(out[h.optional+56:], uint32(address))    // SizeOfImage
	le.PutUint32(out[h.optional+64:], 0)                  // CheckSum: firmware does not look
	return out, nil
}

// header is what has to be known of a PE file to add to it. Offsets count from
// the file's start.
type header struct {
	coff, optional, table   int // where the headers and the section table are
	sections                int
	headers                 int // bytes of all headers, padding included
	sectionAlign, fileAlign uint64
	end                     uint64 // in memory: behind the last section
}

func parseHeader(b []byte) (header, error) {
	le := binary.LittleEndian
	if len(b) < offsetOfPE+4 {
		return header{}, errors.New("not a PE file: too short")
	}
	h := header{coff: int(le.Uint32(b[offsetOfPE:]))}
	h.optional = h.coff + coffSize
	// Up to the data directory of the certificate and its length.
	const optionalNeeds = 112 + certificateRow*8 + 8
	if h.coff < 0 || h.optional+optionalNeeds > len(b) || string(b[h.coff:h.coff+4]) != "PE\x00\x00" {
		return header{}, errors.New("not a PE file")
	}
	if le.Uint16(b[h.optional:]) != 0x20b {
		return header{}, errors.New("not a PE file for 64 bits (PE32+)")
	}
	if le.Uint32(b[h.optional+112+certificateRow*8+4:]) != 0 {
		return header{}, errors.New("it is signed: added sections would break the signature")
	}
	h.sections = int(le.Uint16(b[h.coff+6:]))
	h.table = h.optional + int(le.Uint16(b[h.coff+20:]))
	h.headers = int(le.Uint32(b[h.optional+60:]))
	h.sectionAlign, h.fileAlign = uint64(le.Uint32(b[h.optional+32:])), uint64(le.Uint32(b[h.optional+36:]))
	for _, a := range []uint64{h.sectionAlign, h.fileAlign} {
		if a == 0 || a&(a-1) != 0 || a > 1<<20 {
			return header{}, fmt.Errorf("an alignment of %d bytes", a)
		}
	}
	if h.headers > len(b) || h.table+h.sections*sectionSize > h.headers {
		return header{}, errors.New("not a whole PE file: the section table is cut off")
	}
	for i := range h.sections {
		row := b[h.table+i*sectionSize:]
		h.end = max(h.end, uint64(le.Uint32(row[12:]))+uint64(le.Uint32(row[8:])))
	}
	return h, nil
}

func align(n, to uint64) uint64 { return (n + to - 1) / to * to }

func pad(b []byte, to uint64) []byte {
	return append(b, make([]byte, align(uint64(len(b)), to)-uint64(len(b)))...)
}
