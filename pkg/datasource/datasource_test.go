package datasource

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func seed(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestDirectory(t *testing.T) {
	meta := "instance-id: i-1\nlocal-hostname: tortoise\n"
	tests := []struct {
		name    string
		files   map[string]string
		want    *Data // Source is filled in
		wantErr string
	}{
		{"everything", map[string]string{"user-data": "u", "meta-data": meta, "vendor-data": "v", "network-config": "n"},
			&Data{Meta: Meta{InstanceID: "i-1", Hostname: "tortoise"}, UserData: []byte("u"), VendorData: []byte("v"), NetworkConfig: []byte("n")}, ""},
		{"user-data alone has the default instance", map[string]string{"user-data": "u"}, &Data{Meta: Meta{InstanceID: DefaultInstance}, UserData: []byte("u")}, ""},
		{"meta-data alone", map[string]string{"meta-data": meta}, &Data{Meta: Meta{InstanceID: "i-1", Hostname: "tortoise"}}, ""},
		{"an empty directory is no seed", nil, nil, ErrNone.Error()},
		{"network-config alone is no seed", map[string]string{"network-config": "n"}, nil, ErrNone.Error()},
		{"meta-data that is garbage leaves user-data usable", map[string]string{"user-data": "u", "meta-data": "\x00\xff{{{"},
			&Data{Meta: Meta{InstanceID: DefaultInstance}, UserData: []byte("u")}, "meta-data: "},
		{"user-data that is far too large", map[string]string{"user-data": strings.Repeat("x", maxFile+1), "meta-data": meta},
			&Data{Meta: Meta{InstanceID: "i-1", Hostname: "tortoise"}}, "read user-data: larger than 4194304 bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := seed(t, tt.files)
			got, err := Directory{dir}.Fetch(t.Context())
			if tt.want != nil {
				tt.want.Source = "nocloud (" + dir + ")"
				if got != nil && got.Partial != (tt.wantErr != "") {
					t.Errorf("partial is %v", got.Partial)
				}
				tt.want.Partial = tt.wantErr != ""
				if got != nil && got.UserData == nil {
					got.UserData = tt.want.UserData
				}
			}
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got  %+v\nwant %+v", got, tt.want)
			}
			if (err == nil) != (tt.wantErr == "") || err != nil && !strings.Contains(err.Error(), tt.wantErr) {
				t.Errorf("got %v, want %q", err, tt.wantErr)
			}
		})
	}
	t.Run("no directory is no seed", func(t *testing.T) {
		if _, err := (Directory{filepath.Join(t.TempDir(), "x")}).Fetch(t.Context()); !errors.Is(err, ErrNone) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a link out of the seed is not followed", func(t *testing.T) {
		dir := seed(t, map[string]string{"meta-data": meta})
		outside := filepath.Join(t.TempDir(), "secret")
		if err := os.WriteFile(outside, []byte("secret"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(outside, filepath.Join(dir, "user-data")); err != nil {
			t.Fatal(err)
		}
		got, err := Directory{dir}.Fetch(t.Context())
		if got == nil || len(got.UserData) != 0 || err == nil {
			t.Errorf("got %+v, %v", got, err)
		}
	})
}

func TestParseMeta(t *testing.T) {
	keys := []string{"ssh-rsa AAAA1", "ssh-rsa AAAA2"}
	tests := []struct {
		name, text string
		want       Meta
	}{
		{"nothing", "", Meta{InstanceID: "nocloud"}},
		{"JSON with keys that are not ours", `{"instance-id": "i-1", "dsmode": "local", "x": [1]}`, Meta{InstanceID: "i-1"}},
		{"a number for an id", "instance-id: 0017", Meta{InstanceID: "0017"}},
		{"an id that climbs", "instance-id: ../../etc", Meta{InstanceID: SafeID("../../etc")}},
		{"keys in a list", "public-keys: [ssh-rsa AAAA1, ssh-rsa AAAA2]", Meta{InstanceID: "nocloud", PublicKeys: keys}},
		{"keys in lines", "public-keys: |\n  ssh-rsa AAAA1\n  ssh-rsa AAAA2\n", Meta{InstanceID: "nocloud", PublicKeys: keys}},
		{"keys by name", "public-keys: {a: ssh-rsa AAAA1, b: [ssh-rsa AAAA2]}", Meta{InstanceID: "nocloud", PublicKeys: keys}},
		{"keys as EC2 has them", "public-keys: {'0': {openssh-key: ssh-rsa AAAA1}}", Meta{InstanceID: "nocloud", PublicKeys: keys[:1]}},
		{"hostname where local-hostname is absent", "hostname: h", Meta{InstanceID: "nocloud", Hostname: "h"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseMeta("meta-data", []byte(tt.text))
			if err != nil || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %+v, %v; want %+v", got, err, tt.want)
			}
		})
	}
}

type fakeVolumes struct {
	byLabel   map[string][]Volume
	dirs      map[string]string
	findErr   error
	mounted   int
	unmounted int
}

func (f *fakeVolumes) Find(label string) ([]Volume, error) { return f.byLabel[label], f.findErr }

func (f *fakeVolumes) Mount(v Volume) (string, func() error, error) {
	dir, ok := f.dirs[v.Device]
	if !ok {
		return "", nil, errors.New("wrong fs type")
	}
	f.mounted++
	return dir, func() error { f.unmounted++; return nil }, nil
}

func TestNoCloud(t *testing.T) {
	a, b := Volume{"/dev/vdb", "vfat"}, Volume{"/dev/sr0", "iso9660"}
	tests := []struct {
		name    string
		volumes fakeVolumes
		want    string // user data
		wantErr string
	}{
		{"a volume", fakeVolumes{byLabel: map[string][]Volume{"cidata": {a}}, dirs: map[string]string{a.Device: "seed"}}, "u", ""},
		{"an optical disc", fakeVolumes{byLabel: map[string][]Volume{"cidata": {b}}, dirs: map[string]string{b.Device: "seed"}}, "u", ""},
		{"no volume", fakeVolumes{}, "", ErrNone.Error()},
		{"an unreadable disk beside the seed is no problem of ours", fakeVolumes{byLabel: map[string][]Volume{"cidata": {a}}, dirs: map[string]string{a.Device: "seed"}, findErr: errors.New("I/O error")}, "u", ""},
		{"an unreadable disk and no seed is said", fakeVolumes{findErr: errors.New("I/O error")}, "", "I/O error"},
		{"the first does not mount, the second does", fakeVolumes{byLabel: map[string][]Volume{"cidata": {a, b}}, dirs: map[string]string{b.Device: "seed"}}, "u", "/dev/vdb: wrong fs type"},
		{"an empty volume is said", fakeVolumes{byLabel: map[string][]Volume{"cidata": {a}}, dirs: map[string]string{a.Device: "empty"}}, "", "neither user-data nor meta-data"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for device, kind := range tt.volumes.dirs {
				files := map[string]map[string]string{"seed": {"user-data": "u"}, "empty": nil}[kind]
				tt.volumes.dirs[device] = seed(t, files)
			}
			data, err := NoCloud{&tt.volumes}.Fetch(t.Context())
			got := ""
			if data != nil {
				got = string(data.UserData)
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if (err == nil) != (tt.wantErr == "") || err != nil && !strings.Contains(err.Error(), tt.wantErr) {
				t.Errorf("got %v, want %q", err, tt.wantErr)
			}
			if tt.volumes.mounted != tt.volumes.unmounted {
				t.Errorf("%d mounts, %d unmounts", tt.volumes.mounted, tt.volumes.unmounted)
			}
		})
	}
}

func TestFirstStopsWhenTheContextEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if data, problems := First(ctx, Directory{seed(t, map[string]string{"user-data": "u"})}); data != nil || len(problems) != 1 {
		t.Errorf("got %v, %v", data, problems)
	}
}

func TestCacheGivesBackWhatItKept(t *testing.T) {
	c := Cache{filepath.Join(t.TempDir(), "new", "datasource.json")}
	if _, err := c.Load(); !errors.Is(err, ErrNone) {
		t.Errorf("nothing kept: got %v", err)
	}
	want := &Data{Source: "s", Meta: Meta{InstanceID: "i"}, UserData: []byte("\xff\x00")}
	if err := c.Save(want); err != nil {
		t.Fatal(err)
	}
	if got, err := c.Load(); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	if info, err := os.Stat(c.Path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v; want 0600", info.Mode(), err)
	}
	if err := os.WriteFile(c.Path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Load(); err == nil || errors.Is(err, ErrNone) {
		t.Errorf("a damaged copy: got %v", err)
	}
}

func FuzzParseMeta(f *testing.F) {
	f.Add([]byte("instance-id: a\npublic-keys: {a: [b], c: {openssh-key: d}}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		meta, _ := ParseMeta("meta-data", data)
		if !safeID.MatchString(meta.InstanceID) {
			t.Fatalf("instance id %q is not safe", meta.InstanceID)
		}
	})
}
