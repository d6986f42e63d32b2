// Package datasource asks the machine's surroundings what it is to be: an
// instance id, a host name, keys, user data. Choose decides from facts alone
// which sources are worth asking, Gather asks them, Cache keeps the answer for
// boots without them.
//
// The parts below it: clouds holds the sources themselves, host finds the facts
// of the machine we run on, web and tftp fetch, smbios and vmware read what a
// hypervisor says, userdata takes user data apart.
//
// It only fetches, bounded in size and time. What the data mean is pkg/config's
// business. pkg/settings and rosd import it.
package datasource

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/testudo-os/testudo/pkg/datasource/web"
)

// ErrNone says that a source is not there at all, which is no problem.
var ErrNone = errors.New("no such datasource here")

// Source is one place to look at.
type Source interface {
	// Name is what people call it on the kernel command line: ec2, nocloud.
	Name() string
	// Detect says from facts alone whether the source is worth asking.
	Detect(f *Facts) Match
	// Fetch asks it. Errors match ErrNone when there is nothing to read. Data
	// and an error together mean that the data can be used and that part of
	// what was there could not be read.
	Fetch(ctx context.Context, env *Env) (*Data, error)
}

// Reporter is a Source whose surroundings want to hear that the machine is up.
type Reporter interface {
	// Ready tells them, once a boot, after the data were taken over.
	Ready(ctx context.Context, env *Env) error
}

// Needs says what must be there before a source can be asked.
type Needs string

// What a source can need.
const (
	Nothing   Needs = ""           // disks and firmware: there at boot
	LinkLocal Needs = "link-local" // some address; one of 169.254.0.0/16 will do
	Network   Needs = "network"    // what DHCP or router advertisements give
)

// Match is what Detect found.
type Match struct {
	Found  bool
	Reason string // for people: the fact that speaks for it, or the one that is missing
	Needs  Needs
}

// Env is what a source may ask of the machine.
type Env struct {
	Facts   *Facts
	Web     *web.Client
	Volumes Volumes
	// Firmware gives the content of a file that QEMU's fw_cfg device holds.
	Firmware func(name string) ([]byte, error)
	// GuestInfo asks VMware's hypervisor: guestinfo.NAME. "" where it is not set.
	GuestInfo func(ctx context.Context, name string) (string, error)
	// Leases are what DHCP servers said, in the order of interfaces.
	Leases func() []Lease
	// Interfaces are the names of physical network interfaces, for addresses
	// that need one (fe80::1%eth0).
	Interfaces func() []string
}

// Lease is what sources use of what a DHCP server said.
type Lease struct {
	Interface string
	Server    string // the server's own address
	Next      string // from where to load a boot file; "" when it names none
	Gateway   string
}

// Data is what a source gave. It may hold secrets.
type Data struct {
	Source     string `json:"source"`          // for people: nocloud (/dev/sr0)
	Cloud      string `json:"cloud,omitempty"` // the Source's name
	Machine    string `json:"machine,omitempty"`
	Meta       Meta   `json:"meta"`
	UserData   []byte `json:"user_data,omitempty"`
	VendorData []byte `json:"vendor_data,omitempty"`
	// NetworkConfig is cloud-init's network configuration, version 1 or 2, as
	// YAML or JSON. Sources that describe the network in another way translate.
	NetworkConfig []byte `json:"network_config,omitempty"`
	// Raw is all of the metadata, for templates: one JSON object.
	Raw json.RawMessage `json:"raw,omitempty"`
	// Parts are what userdata made of user and vendor data: includes fetched,
	// templates filled in. nil: not done yet.
	Parts   *Parts `json:"parts,omitempty"`
	Partial bool   `json:"-"` // part of it could not be read
}

// Parts are user data and vendor data, taken apart.
type Parts struct {
	User   []Part `json:"user,omitempty"`
	Vendor []Part `json:"vendor,omitempty"`
	// NoVendor says why there is no vendor data although there should be.
	NoVendor string `json:"no_vendor,omitempty"`
}

// Kind says what a part is.
type Kind string

// The kinds of parts.
const (
	CloudConfig Kind = "cloud-config"
	Script      Kind = "script"   // a program to run, after everything else
	Boothook    Kind = "boothook" // a program to run at every boot, before everything else
)

// When says how often a script runs.
type When string

// A script runs once per instance unless its type says otherwise.
const (
	PerInstance When = "instance"
	PerBoot     When = "boot"
	Once        When = "once"
)

// Part is one piece of user data.
type Part struct {
	// Origin names it in errors, where a file's name would stand:
	// nocloud (/dev/sr0) user-data, part 2 (web.yaml).
	Origin string `json:"origin"`
	Name   string `json:"name"` // safe as a file name, and unlike any other part's
	Kind   Kind   `json:"kind"`
	When   When   `json:"when,omitempty"` // of a script
	Text   []byte `json:"text"`
}

// Same says whether two hold the same, wherever they are from.
func (d *Data) Same(other *Data) bool {
	if d == nil || other == nil {
		return d == other
	}
	strip := func(d Data) string {
		d.Source, d.Machine, d.Raw = "", "", nil
		text, err := json.Marshal(d)
		if err != nil {
			return "" // cannot be: no field can fail
		}
		return string(text)
	}
	return strip(*d) == strip(*other)
}

// Volume is a block device with a file system.
type Volume struct {
	Device string // /dev/sr0
	Type   string // iso9660, vfat or ext4
	Label  string
}

// Volumes mounts volumes; pkg/datasource/host has the machine's own.
type Volumes interface {
	// Mount mounts v read-only in a private place, and gives what undoes it.
	Mount(v Volume) (dir string, unmount func() error, err error)
}
