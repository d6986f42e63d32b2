// Package clouds holds the datasources themselves, one file each: what facts
// speak for a source, and its protocol. The protocols are those of the clouds'
// own documentation; docs/datasources.md names what each source reads.
//
// A source gives what its surroundings say and judges nothing of it. Servers
// can be replaced for tests; the zero value of each source asks the real ones.
package clouds

import "github.com/testudo-os/testudo/pkg/datasource"

// Options are what sources cannot know by themselves.
type Options struct {
	SeedDir     string // where a NoCloud seed may lie as plain files
	DefaultUser string // whose keys clouds with many users are asked for
}

// All gives every source, the most specific first: what somebody put there for
// this machine, then what a hypervisor hands over, then clouds' services.
func All(o Options) []datasource.Source {
	return []datasource.Source{
		URL{},
		NoCloud{Dir: o.SeedDir},
		FirmwareConfig{},
		SMBIOS{},
		VMware{},
		OVF{},
		ConfigDrive{},
		EC2{}, GCE{DefaultUser: o.DefaultUser}, Azure{}, Oracle{}, Hetzner{}, DigitalOcean{}, Vultr{}, Scaleway{},
		Exoscale{}, CloudStack{}, Equinix{}, OpenStack{},
	}
}
