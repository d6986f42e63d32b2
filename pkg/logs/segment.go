package logs

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"time"
)

// segment is one file of a service's log: records of one boot. Its name says
// which, so that opening the store reads no file:
//
//	BOOT-NUMBER-BOOTID.log
//
// BOOT counts the boots that the store has seen: the order of boots does not
// depend on a clock.
type segment struct {
	path   string
	boot   int
	number int // counts within service and boot
	bootID string
	size   int64
	last   time.Time // of the last write
}

var segmentName = regexp.MustCompile(`^([0-9]{6,9})-([0-9]{6,9})-([0-9a-f]{32})\.log$`)

func newSegment(dir string, boot, number int, bootID string) segment {
	name := fmt.Sprintf("%06d-%06d-%s.log", boot, number, bootID)
	return segment{path: filepath.Join(dir, name), boot: boot, number: number, bootID: bootID}
}

func (s segment) compare(other segment) int {
	if s.boot != other.boot {
		return s.boot - other.boot
	}
	return s.number - other.number
}

// listSegments gives the segments in a service's folder, oldest first. A folder
// that is not there has none.
func listSegments(dir string) ([]segment, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var found []segment
	for _, e := range entries {
		match := segmentName.FindStringSubmatch(e.Name())
		if match == nil {
			continue // not ours
		}
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() {
			continue // removed since
		}
		boot, _ := strconv.Atoi(match[1]) // at most nine digits
		number, _ := strconv.Atoi(match[2])
		found = append(found, segment{
			path: filepath.Join(dir, e.Name()), boot: boot, number: number, bootID: match[3],
			size: info.Size(), last: info.ModTime(),
		})
	}
	slices.SortFunc(found, segment.compare)
	return found, nil
}

// openSegment opens a segment for appending. What an earlier rosd, or a power
// cut, has left behind its last whole record is cut off.
func openSegment(s *segment) (*os.File, error) {
	file, err := os.OpenFile(s.path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o640)
	if err != nil {
		return nil, err
	}
	if s.size, err = repair(file); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// repair cuts a file behind its last whole record and gives its size. It looks
// no further back than two records may reach.
func repair(file *os.File) (int64, error) {
	info, err := file.Stat()
	if err != nil {
		return 0, err
	}
	from := max(0, info.Size()-2*maxRecord)
	tail := make([]byte, info.Size()-from)
	if _, err := file.ReadAt(tail, from); err != nil && len(tail) > 0 {
		return 0, err
	}
	end := len(tail)
	for end > 0 {
		if tail[end-1] != '\n' {
			end = bytes.LastIndexByte(tail[:end], '\n') + 1
			continue
		}
		begin := bytes.LastIndexByte(tail[:end-1], '\n') + 1
		if _, err := parseRecord(tail[begin : end-1]); err == nil {
			break
		}
		end = begin
	}
	size := from + int64(end)
	if size == info.Size() {
		return size, nil
	}
	return size, file.Truncate(size)
}

// syncDir makes a new file's name last.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
