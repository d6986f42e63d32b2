package host

import (
	"context"

	"github.com/testudo-os/testudo/pkg/datasource"
	"github.com/testudo-os/testudo/pkg/datasource/vmware"
	"github.com/testudo-os/testudo/pkg/datasource/web"
)

// Env is what sources may ask of this machine, until ctx ends: mounts go below
// mountBelow, leases is the network service's folder.
func (r Roots) Env(ctx context.Context, facts *datasource.Facts, mountBelow, leases string) *datasource.Env {
	watch := Changes(ctx)
	return &datasource.Env{
		Facts:      facts,
		Web:        &web.Client{Changed: watch.Next},
		Volumes:    Mounter{Below: mountBelow},
		Firmware:   r.Firmware,
		GuestInfo:  guestInfo,
		Leases:     func() []datasource.Lease { return Leases(leases) },
		Interfaces: r.Interfaces,
	}
}

// guestInfo asks VMware's hypervisor in a thread of its own, which ends with
// its right to use the port.
func guestInfo(ctx context.Context, name string) (value string, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		err = vmware.Do(func(p vmware.Port) error {
			value, err = p.GuestInfo(ctx, name)
			return err
		})
	}()
	<-done
	return value, err
}
