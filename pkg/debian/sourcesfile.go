package debian

import "path/filepath"

// Sources is the deb822 file that names the archive's mirrors and suites, for
// programs that fetch packages by themselves.
func (a *Archive) Sources() string { return filepath.Join(a.conf, "debian.sources") }
