package uki

import "crypto/sha256"

// PCR11 is the value of platform configuration register 11, in the SHA-256
// bank, once systemd-stub has measured these sections and before anything else
// is measured into it: for each, its name with a NUL, then its content.
func PCR11(sections []Section) [sha256.Size]byte {
	var pcr [sha256.Size]byte
	extend := func(data []byte) {
		digest := sha256.Sum256(data)
		pcr = sha256.Sum256(append(pcr[:], digest[:]...))
	}
	for _, name := range measured() {
		data := Find(sections, name)
		if data == nil {
			continue
		}
		extend(append([]byte(name), 0))
		extend(data)
	}
	return pcr
}
