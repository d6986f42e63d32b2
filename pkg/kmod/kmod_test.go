package kmod

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func table(t *testing.T, files map[string]string) *Table {
	t.Helper()
	table, err := Open(folder(t, files))
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func TestGlob(t *testing.T) {
	tests := []struct {
		pattern, s string
		want       bool
	}{
		{"pci:v00001AF4d00001000sv*sd*bc*sc*i*", "pci:v00001AF4d00001000sv00001AF4sd00000001bc02sc00i00", true},
		{"pci:v00001AF4d00001000sv*sd*bc*sc*i*", "pci:v00001AF4d00001001sv00001AF4sd00000001bc02sc00i00", false},
		{"virtio:d00000001v*", "virtio:d00000001v00001AF4", true},
		{"cpu:type:x86,ven*fam*mod*:feature:*0089*", "cpu:type:x86,ven0002fam000Fmod006B:feature:,0000,0089,008D", true},
		{"usb:v*p*d*dc*dsc*dp*ic08isc0[4-6]ip50in*", "usb:v46F4p0001d0000dc00dsc00dp00ic08isc06ip50in00", true},
		{"usb:v*p*d*dc*dsc*dp*ic08isc0[!4-6]ip50in*", "usb:v46F4p0001d0000dc00dsc00dp00ic08isc06ip50in00", false},
		{"a[", "a[", true},
		{"a?c", "abc", true},
		{"", "", true},
		{"", "x", false},
		{"*", "", true},
		{"a*b*c", "aXbYbZ", false},
	}
	for _, tt := range tests {
		if got := glob([]byte(tt.pattern), tt.s); got != tt.want {
			t.Errorf("glob(%q, %q) = %v", tt.pattern, tt.s, got)
		}
	}
}

func TestMatchGivesEachModuleOnceInTheOrderOfTheTable(t *testing.T) {
	tab := table(t, map[string]string{
		"modules.dep": "virtio_net.ko:\nvirtio-blk.ko:\ne1000.ko:\n",
		"modules.alias": "# comment\nalias virtio:d00000001v* virtio_net\nalias virtio:d00000002v* virtio-blk\n" +
			"alias virtio:d00000002v* virtio-blk\nalias pci:v00008086d0000100Esv*sd*bc*sc*i* e1000\nalias x*:y e1000\nalias broken\n",
	})
	got := tab.Match([]string{"virtio:d00000002v00001AF4", "virtio:d00000001v00001AF4", "xz:y", "acpi:PNP0C0A:"})
	if want := []string{"virtio_net", "virtio_blk", "e1000"}; !reflect.DeepEqual(got, want) {
		t.Fatalf("got %q, want %q", got, want)
	}
}

func TestModule(t *testing.T) {
	tab := table(t, map[string]string{
		"modules.dep":     "kernel/drivers/md/dm-verity.ko.xz: kernel/drivers/md/dm-mod.ko.xz\nkernel/drivers/md/dm-mod.ko.xz:\n",
		"modules.builtin": "kernel/fs/ext4/ext4.ko\n",
	})
	if m, err := tab.Module("dm-verity"); err != nil || m.Name != "dm_verity" || len(m.Deps) != 1 {
		t.Errorf("hyphens and compression do not matter: got %+v, %v", m, err)
	}
	if m, err := tab.Module("ext4"); m != nil || err != nil {
		t.Errorf("a built-in module needs no loading: got %+v, %v", m, err)
	}
	if _, err := tab.Module("nonesuch"); !errors.Is(err, ErrNotFound) {
		t.Errorf("an unknown module: got %v", err)
	}
}

func TestOpenRefusesAFolderWithoutATable(t *testing.T) {
	if _, err := Open(t.TempDir()); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("got %v", err)
	}
}

// recorder is a kernel that remembers what was inserted.
type recorder struct {
	mu    sync.Mutex
	order []string
	fail  map[string]error
}

func (r *recorder) insert(file, params string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	name := Name(file)
	if params != "" {
		name += " " + params
	}
	r.order = append(r.order, name)
	return r.fail[Name(file)]
}

func TestLoad(t *testing.T) {
	const dep = "a.ko: b.ko c.ko\nb.ko: c.ko\nc.ko:\nd.ko: missing.ko\nx.ko: y.ko\ny.ko: x.ko\ns.ko:\nself.ko: self.ko\n"
	tests := []struct {
		name    string
		load    []string
		softdep string
		fail    map[string]error
		want    []string
		wantErr string
	}{
		{name: "dependencies come first and each module once", load: []string{"a", "b"}, want: []string{"c", "b", "a"}},
		{name: "a module that is there already is no error", load: []string{"c"}, fail: map[string]error{"c": unix.EEXIST}, want: []string{"c"}},
		{name: "a driver without a device is no error", load: []string{"c"}, fail: map[string]error{"c": unix.ENODEV}, want: []string{"c"}},
		{name: "a failed dependency fails what needs it and is named", load: []string{"b"}, fail: map[string]error{"c": unix.ENOMEM}, want: []string{"c"}, wantErr: "load module b: load module c: cannot allocate memory"},
		{name: "a dependency that is not there is named", load: []string{"d"}, wantErr: "load module d: it needs missing.ko: no such module"},
		{name: "a cycle ends with an error", load: []string{"x"}, wantErr: "needs itself"},
		{name: "a cycle asked for from both ends still ends", load: []string{"x", "y"}, wantErr: "needs itself"},
		{name: "a module that needs itself ends with an error", load: []string{"self"}, wantErr: "needs itself"},
		{name: "an unknown module does not stop the others", load: []string{"nonesuch", "c"}, want: []string{"c"}, wantErr: "nonesuch: no such module"},
		{name: "soft dependencies are loaded before", load: []string{"c"}, softdep: "softdep c pre: s nonesuch post: a\n", want: []string{"s", "c"}},
		{name: "a failed soft dependency does not matter", load: []string{"c"}, softdep: "softdep c pre: s\n", fail: map[string]error{"s": unix.EIO}, want: []string{"s", "c"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			kernel := &recorder{fail: tt.fail}
			loader := NewLoader(table(t, map[string]string{"modules.dep": dep, "modules.softdep": tt.softdep}), Options{Insert: kernel.insert})
			err := loader.Load(context.Background(), tt.load...)
			if tt.wantErr == "" && err != nil {
				t.Fatal(err)
			}
			if tt.wantErr != "" && (err == nil || !strings.Contains(err.Error(), tt.wantErr)) {
				t.Fatalf("got error %v, want %q", err, tt.wantErr)
			}
			if !slices.Equal(kernel.order, tt.want) {
				t.Fatalf("loaded %q, want %q", kernel.order, tt.want)
			}
		})
	}
}

func TestLoadAliases(t *testing.T) {
	kernel := &recorder{}
	tab := table(t, map[string]string{
		"modules.dep":   "drivers/i6300esb.ko:\ndrivers/bad.ko:\nsound/unwanted.ko:\n",
		"modules.alias": "alias pci:a* i6300esb\nalias pci:a* bad\nalias pci:a* elsewhere\nalias pci:a* unwanted\n",
	})
	loader := NewLoader(tab, Options{
		Insert: kernel.insert, Blacklist: []string{"bad"},
		Wanted: func(m *Module) bool { return strings.HasPrefix(m.Path, "drivers/") },
		Params: func(name string) string { return "heartbeat=30" },
	})
	names, err := loader.LoadAliases(context.Background(), []string{"pci:abc"})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(names, []string{"i6300esb"}) || !slices.Equal(kernel.order, []string{"i6300esb heartbeat=30"}) {
		t.Fatalf("names %q, loaded %q: want i6300esb alone, with its parameters", names, kernel.order)
	}
}

func TestWhatTheKernelHasIsNotLoadedAgain(t *testing.T) {
	kernel := &recorder{}
	loader := NewLoader(table(t, map[string]string{"modules.dep": "a.ko: b.ko\nb.ko:\n"}), Options{
		Insert: kernel.insert, Loaded: func(name string) bool { return name == "b" },
	})
	if err := loader.Load(context.Background(), "a"); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(kernel.order, []string{"a"}) {
		t.Fatalf("loaded %q, want a alone", kernel.order)
	}
}

func TestModaliases(t *testing.T) {
	sysfs := folder(t, map[string]string{
		"devices/system/cpu/modalias":           "cpu:type:x86\n",
		"bus/pci/devices/0000:00:01.0/modalias": "pci:v1\n",
		"bus/pci/devices/0000:00:02.0/modalias": "pci:v1\n",
		"bus/pci/devices/0000:00:03.0/class":    "1",
		"bus/memory/devices/memory0/modalias":   "never",
		"bus/virtio/devices/virtio0/modalias":   "virtio:d1\n",
	})
	got := Modaliases(sysfs)
	slices.Sort(got)
	if want := []string{"cpu:type:x86", "pci:v1", "virtio:d1"}; !slices.Equal(got, want) {
		t.Fatalf("got %q, want %q", got, want)
	}
	if got := Modaliases(t.TempDir()); len(got) != 0 {
		t.Fatalf("an empty sysfs asks for %q", got)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("a.ko: b.ko\nb.ko:\n")
	f.Add("softdep a pre: b post: c\nalias x:* y\n")
	f.Fuzz(func(t *testing.T, text string) {
		if modules, err := parseDep([]byte(text)); err == nil {
			for name, m := range modules {
				if name == "" || m.Path == "" {
					t.Fatalf("a module without a name or path: %+v", m)
				}
			}
		}
		parseSoftdep([]byte(text))
		parseBuiltin([]byte(text))
		(&Table{alias: []byte(text)}).Match([]string{"x:y", "pci:v0"})
	})
}

func FuzzGlob(f *testing.F) {
	f.Add("a[b-d]*?", "abcd")
	f.Fuzz(func(t *testing.T, pattern, s string) {
		glob([]byte(pattern), s)
		// A string without special characters matches itself and nothing longer.
		if !strings.ContainsAny(s, "*?[") {
			if !glob([]byte(s), s) {
				t.Fatalf("%q does not match itself", s)
			}
			if glob([]byte(s), s+"x") {
				t.Fatalf("%q matches something longer", s)
			}
		}
	})
}
