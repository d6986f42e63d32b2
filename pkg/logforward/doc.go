// Package logforward sends the store of logs to other machines as syslog
// messages (RFC 5424) over UDP, TCP with octet counting (RFC 6587) or TLS
// (RFC 5425). The store is its buffer: it keeps on disk how far it has come,
// and after an outage or a restart goes on there. Over TCP and TLS a line counts
// as sent when the other machine's kernel has acknowledged it, so a line may
// arrive twice and is not lost while the store holds it; UDP promises nothing.
//
// It never holds up the store. rosd imports it.
package logforward
