package logs

import (
	"slices"
	"time"
)

// Limits bound what the store holds. Whole segments are removed, so a log may
// be one segment shorter than its limit.
type Limits struct {
	Total   int64         // bytes of all logs
	Service int64         // bytes of one service's log
	Age     time.Duration // since a segment's last line; 0: any
}

// Limit bounds one log. What is zero is as Limits has it.
type Limit struct {
	Size int64         // bytes
	Age  time.Duration // since a segment's last line
}

// segmentSize is how much of a log goes into one file.
func (l Limit) segmentSize() int64 {
	const least, most = 16 << 10, 1 << 20
	return min(max(l.Size/8, least), most)
}

// surplus says how many of each log's segments, from the oldest on, are to go;
// of is the limit of each log. When all together are too large the largest log
// gives way: one that floods does not cost others theirs.
func surplus(logs map[string][]segment, all int64, of func(name string) Limit, now time.Time) map[string]int {
	drop := map[string]int{}
	size := map[string]int64{}
	var total int64
	for name, segments := range logs {
		for _, s := range segments {
			size[name] += s.size
		}
		remove := func() {
			size[name] -= segments[drop[name]].size
			drop[name]++
		}
		limit := of(name)
		for drop[name] < len(segments) && limit.Age > 0 && now.Sub(segments[drop[name]].last) > limit.Age {
			remove()
		}
		for size[name] > limit.Size {
			remove()
		}
		total += size[name]
	}
	for total > all {
		name := largest(size)
		freed := logs[name][drop[name]].size
		size[name] -= freed
		total -= freed
		drop[name]++
	}
	return drop
}

func largest(size map[string]int64) string {
	var names []string
	for name := range size {
		names = append(names, name)
	}
	slices.Sort(names) // of equals always the same one
	return slices.MaxFunc(names, func(a, b string) int { return int(size[a] - size[b]) })
}
