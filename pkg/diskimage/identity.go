package diskimage

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/google/uuid"
)

// identity makes the numbers that tell disks and file systems apart out of
// what is on the disk, so that equal content makes equal disks.
type identity [sha256.Size]byte

// uuid is a number of version 8 (RFC 9562: what its maker wants it to be).
func (id identity) uuid(of string) string {
	sum := sha256.Sum256(append(id[:], of...))
	u := uuid.UUID(sum[:16])
	u[6], u[8] = u[6]&0x0f|0x80, u[8]&0x3f|0x80
	return u.String()
}

// volume is a FAT volume's serial number.
func (id identity) volume() uint32 { return binary.BigEndian.Uint32(id[:]) }
