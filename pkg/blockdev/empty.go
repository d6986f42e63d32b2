package blockdev

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// Where Empty looks. Every partition table, file system, volume manager and
// RAID format in use keeps a superblock in the first or last few MiB; the
// samples in between catch a disk whose ends were wiped and whose data stayed.
const (
	emptyEnds    = 4 << 20
	emptySamples = 1024
	emptySample  = 4096
)

// Empty says whether a device of size bytes carries no data: its first and
// last 4 MiB and 1,024 blocks spread evenly over the rest are all zeros. It is
// what stands between a user's disk and mke2fs, so an error is never "empty".
func Empty(r io.ReaderAt, size int64) (bool, error) {
	if size <= 0 {
		return false, errors.New("the device has no size")
	}
	buf := make([]byte, 256<<10)
	zero := func(from, to int64) (bool, error) {
		for from < to {
			n := min(int64(len(buf)), to-from)
			got, err := r.ReadAt(buf[:n], from)
			if int64(got) < n {
				return false, fmt.Errorf("read %d bytes at %d: %w", n, from, err)
			}
			if !allZero(buf[:n]) {
				return false, nil
			}
			from += n
		}
		return true, nil
	}
	if size <= 2*emptyEnds {
		return zero(0, size)
	}
	if ok, err := zero(0, emptyEnds); !ok || err != nil {
		return false, err
	}
	if ok, err := zero(size-emptyEnds, size); !ok || err != nil {
		return false, err
	}
	step := (size - 2*emptyEnds) / emptySamples
	step -= step % emptySample
	step = max(step, emptySample)
	for at := int64(emptyEnds); at+emptySample <= size-emptyEnds; at += step {
		if ok, err := zero(at, at+emptySample); !ok || err != nil {
			return false, err
		}
	}
	return true, nil
}

// allZero compares against a block of zeros: bytes.Equal is vector code.
func allZero(b []byte) bool {
	for len(b) > len(zeros) {
		if !bytes.Equal(b[:len(zeros)], zeros[:]) {
			return false
		}
		b = b[len(zeros):]
	}
	return bytes.Equal(b, zeros[:len(b)])
}

var zeros [4096]byte
