package host

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/testudo-os/testudo/pkg/datasource"
)

func write(t *testing.T, root, path string, content []byte) {
	t.Helper()
	full := filepath.Join(root, path)
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(full, content, 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestFacts(t *testing.T) {
	sys, seed := t.TempDir(), t.TempDir()
	for name, value := range map[string]string{"sys_vendor": "QEMU", "product_name": "Standard PC", "product_serial": "ds=nocloud", "product_uuid": "A-1", "chassis_asset_tag": "tag"} {
		write(t, sys, "class/dmi/id/"+name, []byte(value+"\n"))
	}
	oem := append([]byte{11, 5, 0, 1, 2}, "io.testudo.credential:user-data=x\x00second\x00\x00"...)
	write(t, sys, "firmware/dmi/tables/DMI", append(oem, 127, 4, 0, 2, 0, 0))
	write(t, sys, "hypervisor/uuid", []byte("ec2\n"))
	// As the module qemu_fw_cfg has it: names are folders, the last one a link.
	write(t, sys, "firmware/qemu_fw_cfg/by_key/42/raw", []byte("#cloud-config"))
	if err := os.MkdirAll(filepath.Join(sys, fwcfg, "opt/io.testudo"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../../../by_key/42", filepath.Join(sys, fwcfg, "opt/io.testudo/user-data")); err != nil {
		t.Fatal(err)
	}
	write(t, seed, "user-data", nil)
	write(t, sys, "cmdline", []byte("quiet testudo.datasource=none\n"))
	r := Roots{Sys: sys, Cmdline: filepath.Join(sys, "cmdline"), SeedDirs: []string{filepath.Join(seed, "none"), seed}}
	f := r.named()
	want := datasource.DMI{SysVendor: "QEMU", ProductName: "Standard PC", ProductSerial: "ds=nocloud", ProductUUID: "A-1", ChassisAssetTag: "tag"}
	if f.DMI != want || f.Hypervisor != "ec2" {
		t.Errorf("got %+v, %q", f.DMI, f.Hypervisor)
	}
	if !slices.Equal(f.OEMStrings, []string{"io.testudo.credential:user-data=x", "second"}) {
		t.Errorf("OEM strings: %q", f.OEMStrings)
	}
	if !slices.Equal(f.Firmware, []string{"opt/io.testudo/user-data"}) {
		t.Errorf("fw_cfg: %q", f.Firmware)
	}
	if content, err := r.Firmware("opt/io.testudo/user-data"); string(content) != "#cloud-config" || err != nil {
		t.Errorf("fw_cfg: %q, %v", content, err)
	}
	if _, err := r.Firmware("opt/none"); !os.IsNotExist(err) {
		t.Errorf("fw_cfg: %v", err)
	}
	if _, err := r.Firmware("../../cmdline"); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("a name that climbs: %v", err)
	}
	if v, ok := f.Cmdline.Get("testudo.datasource"); v != "none" || !ok || !slices.Equal(f.SeedDirs, []string{seed}) {
		t.Errorf("%q, %q", v, f.SeedDirs)
	}
}

func TestAMachineWithoutAnything(t *testing.T) {
	f := Roots{Sys: t.TempDir(), Cmdline: "/nonexistent"}.named()
	if !reflect.DeepEqual(*f, datasource.Facts{}) {
		t.Errorf("got %+v", f)
	}
}

func TestLeases(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "3.json", []byte(`{"lease4": {"server": "192.0.2.1", "next_server": "192.0.2.9", "routes": [{"to": "10.0.0.0/8", "gateway": "192.0.2.3"}, {"to": "0.0.0.0/0", "gateway": "192.0.2.2"}]}}`))
	write(t, dir, "12.json", []byte(`{"lease4": {"server": "198.51.100.1"}}`))
	write(t, dir, "4.json", []byte(`{"lease6": {}}`))
	write(t, dir, "5.json", []byte(`garbage`))
	write(t, dir, "6.json", []byte(`{"lease4": {"server": "not an address", "next_server": "0.0.0.0"}}`))
	write(t, dir, "x.json", []byte(`{"lease4": {"server": "192.0.2.1"}}`))
	want := []datasource.Lease{{Server: "192.0.2.1", Next: "192.0.2.9", Gateway: "192.0.2.2"}, {}, {Server: "198.51.100.1"}}
	if got := Leases(dir); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if got := Leases(filepath.Join(dir, "none")); len(got) != 0 {
		t.Errorf("no folder: %+v", got)
	}
}

func TestChangesEndWithTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	w := Changes(ctx)
	next := w.Next()
	w.tell()
	select {
	case <-next:
	default:
		t.Error("a change is not told")
	}
	if w.Next() == next {
		t.Error("the same change is told twice")
	}
	cancel()
}

// inNamespace moves this test's thread into a network namespace of its own with
// a link called card0. The thread ends with the test.
func inNamespace(t *testing.T) Roots {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root for a network namespace")
	}
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatal(err)
	}
	link := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "card0"}, PeerName: "card1"}
	if err := netlink.LinkAdd(link); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"card0", "card1"} {
		l, err := netlink.LinkByName(name)
		if err == nil {
			err = netlink.LinkSetUp(l)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	r := Roots{Sys: t.TempDir()}
	write(t, r.Sys, "class/net/card0/device/vendor", nil) // a device of its own, as the other end is not
	return r
}

func linkLocals(t *testing.T, name string) []string {
	t.Helper()
	i, err := net.InterfaceByName(name)
	if err != nil {
		t.Fatal(err)
	}
	addrs, err := i.Addrs()
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, a := range addrs {
		if ip := a.(*net.IPNet); ip.IP.To4() != nil {
			out = append(out, ip.String())
		}
	}
	return out
}

func TestALinkLocalAddressComesAndGoes(t *testing.T) {
	r := inNamespace(t)
	if names := r.Interfaces(); !slices.Equal(names, []string{"card0"}) {
		t.Fatalf("interfaces: %q", names)
	}
	undo, err := r.LinkLocal()
	if err != nil {
		t.Fatal(err)
	}
	got := linkLocals(t, "card0")
	if len(got) != 1 || !strings.HasPrefix(got[0], "169.254.") || !strings.HasSuffix(got[0], "/16") {
		t.Errorf("got %q", got)
	}
	again, err := r.LinkLocal() // one is enough
	if err != nil || len(linkLocals(t, "card0")) != 1 {
		t.Errorf("a second one: %v, %q", err, linkLocals(t, "card0"))
	}
	again()
	undo()
	if got := linkLocals(t, "card0"); len(got) != 0 {
		t.Errorf("left behind: %q", got)
	}
	undo() // gone already
	link, err := netlink.LinkByName("card0")
	if err != nil {
		t.Fatal(err)
	}
	if link.Attrs().Flags&net.FlagUp == 0 {
		t.Error("the interface was switched off with its address")
	}
}

func TestAChangeOfAddressesIsTold(t *testing.T) {
	inNamespace(t)
	w := Changes(t.Context())
	next := w.Next()
	link, err := netlink.LinkByName("card0")
	if err != nil {
		t.Fatal(err)
	}
	address, err := netlink.ParseAddr("192.0.2.7/24")
	if err != nil {
		t.Fatal(err)
	}
	if err := netlink.AddrAdd(link, address); err != nil {
		t.Fatal(err)
	}
	select {
	case <-next:
	case <-time.After(10 * time.Second):
		t.Error("nobody was told")
	}
}
