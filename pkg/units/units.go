// Package units reads sizes and spans of time as people write them in Compose
// files and in the configuration. It knows nothing of either.
package units

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

var bytesForm = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?)\s*(b|k|kb|kib|m|mb|mib|g|gb|gib|t|tb|tib)?$`)

// Bytes reads Compose's sizes: 1048576, 512m, 1.5g. Units are powers of 1024,
// as in Docker.
func Bytes(s string) (int64, error) {
	m := bytesForm.FindStringSubmatch(strings.ToLower(strings.TrimSpace(s)))
	if m == nil {
		return 0, fmt.Errorf("%q is not a size such as 512m", s)
	}
	shift := 0
	if m[2] != "" {
		shift = 10 * strings.Index("bkmgt", m[2][:1])
	}
	v, err := strconv.ParseFloat(m[1], 64)
	if err != nil || v*float64(int64(1)<<shift) >= 1<<62 {
		return 0, fmt.Errorf("%q is too large", s)
	}
	return int64(v * float64(int64(1)<<shift)), nil
}

// SpanPattern is the form of what Span takes.
const SpanPattern = `([0-9]{1,9}[wdhms])+`

const day = 24 * time.Hour

// longestSpan bounds a span: time.Duration ends after 292 years.
const longestSpan = 100 * 365 * day

var (
	spanForm  = regexp.MustCompile("^" + SpanPattern + "$")
	spanPart  = regexp.MustCompile(`([0-9]+)([wdhms])`)
	spanUnits = map[string]time.Duration{"w": 7 * day, "d": day, "h": time.Hour, "m": time.Minute, "s": time.Second}
)

// Span reads a time that may be long, with the units of Compose's
// every_<duration>: 90d, 1w2d12h. It is at most a hundred years.
func Span(s string) (span time.Duration, err error) {
	if !spanForm.MatchString(s) {
		return 0, fmt.Errorf("%q is not a time such as 90d or 1d12h", s)
	}
	for _, part := range spanPart.FindAllStringSubmatch(s, -1) {
		n, err := strconv.ParseInt(part[1], 10, 64)
		unit := spanUnits[part[2]]
		if err != nil || n > int64((longestSpan-span)/unit) {
			return 0, fmt.Errorf("%q is too long", s)
		}
		span += time.Duration(n) * unit
	}
	return span, nil
}
