package erofs

import (
	"fmt"
	"regexp"
	"strings"
)

// Compression says which files of an image are compressed how. Files that are
// not named are compressed so that they are small. The zero value will do.
type Compression struct {
	// Hot files are those that every boot reads, by their paths. They are
	// compressed so that reading is cheap: unpacking LZ4 takes a fifth of the
	// processor time of zstd, which was 2 of the 6 seconds of a boot.
	Hot []string
	// Stored files are not compressed: they are compressed inside, by their paths.
	Stored []string
}

// A page fault in a hot file unpacks a whole cluster: small ones waste less.
// Cold files are read rarely and whole.
const (
	hotCluster  = 16 << 10
	coldCluster = 256 << 10
)

// Algorithms as mkfs.erofs -z takes them; hints name them by their number.
const (
	coldAlgorithm = "zstd,level=9" // 0
	hotAlgorithm  = "lz4hc,12"     // 1
)

// args are mkfs.erofs's. Without -Efragments, which would save 2 %: with it
// mkfs.erofs 1.8.6 made zeros of 118 small files (time zones) and said nothing.
func (Compression) args(hints string) []string {
	return []string{"-z" + coldAlgorithm + ":" + hotAlgorithm, fmt.Sprintf("-C%d", coldCluster), "--compress-hints=" + hints}
}

// hints is the content of mkfs.erofs's --compress-hints: lines of a cluster's
// bytes, an algorithm's number and a regular expression for paths.
func (c Compression) hints() string {
	var b strings.Builder
	for _, path := range c.Hot {
		fmt.Fprintf(&b, "%d 1 %s\n", hotCluster, exactly(path))
	}
	for _, path := range c.Stored {
		fmt.Fprintf(&b, "0 0 %s\n", exactly(path))
	}
	return b.String()
}

func exactly(path string) string {
	return "^" + regexp.QuoteMeta(strings.TrimPrefix(path, "/")) + "$"
}

// String tells one way of compressing from another, also when this package
// changes: for keys of caches.
func (c Compression) String() string {
	return strings.Join(c.args(""), " ") + "\n" + c.hints()
}
