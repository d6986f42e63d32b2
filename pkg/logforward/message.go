package logforward

import (
	"fmt"
	"strconv"

	"github.com/testudo-os/testudo/pkg/api"
)

// Facilities of RFC 5424, table 1.
const (
	facilityKernel = 0
	facilityDaemon = 3
)

// Longest parts of a message's head (RFC 5424, section 6).
const (
	maxHostname = 255
	maxAppName  = 48
)

// message is one line as RFC 5424 has it: the service is APP-NAME, the stream
// MSGID, and the clock that nobody sets is meta's sysUpTime.
func message(hostname string, l api.LogLine) []byte {
	facility := facilityDaemon
	if l.Stream == api.StreamKernel {
		facility = facilityKernel
	}
	head := fmt.Sprintf("<%d>1 %s %s %s - %s [meta sysUpTime=\"%s\"] ",
		facility*8+l.Priority, l.Time.UTC().Format("2006-01-02T15:04:05.000000Z"),
		printable(hostname, maxHostname), printable(l.Service, maxAppName), l.Stream,
		strconv.FormatInt(l.Monotonic/10_000, 10)) // hundredths of a second
	return append([]byte(head), l.Line...)
}

// printable is what may stand in a head: visible ASCII, "-" for nothing.
func printable(text string, longest int) string {
	out := []byte(text[:min(len(text), longest)])
	for i, c := range out {
		if c <= ' ' || c > '~' {
			out[i] = '?'
		}
	}
	if len(out) == 0 {
		return "-"
	}
	return string(out)
}
