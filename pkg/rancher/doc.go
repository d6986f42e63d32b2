// Package rancher translates a RancherOS cloud-config.yml into ours, and says
// of each key what became of it. It is pure: text in, text and a report out.
// `ros config import` imports it.
//
// The keys are those of RancherOS 1.5 (research/rancheros.md, 1.3 and 1.5).
package rancher

// Outcome is what became of a key. The set is closed.
type Outcome string

const (
	Same    Outcome = "same"    // taken as it is
	Moved   Outcome = "moved"   // it means the same elsewhere
	Changed Outcome = "changed" // it means nearly the same; Message says what differs
	Gone    Outcome = "gone"    // nothing here is its equal; Message says what to do
)

// Row is what became of one key.
type Row struct {
	Key     string  `json:"key"`
	Outcome Outcome `json:"outcome"`
	Message string  `json:"message"`
}

// Result is a translation.
type Result struct {
	Text   string `json:"text"` // #cloud-config of ours; it has been checked
	Report []Row  `json:"report"`
}
