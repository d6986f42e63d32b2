package debian

import (
	"os"
	"path/filepath"
	"testing"
)

func TestTheHostsMirrorIsFound(t *testing.T) {
	for _, c := range []struct {
		name  string
		files map[string]string
		env   map[string]string
		want  Mirror
		fails bool
	}{
		{
			name: "in a one-line file",
			files: map[string]string{"sources.list": "# deb http://no/debian bookworm main\n" +
				"deb-src http://no/debian bookworm main\n" +
				"deb [arch=amd64 signed-by=/k] http://one/debian/ bookworm main # here\n" +
				"deb\thttp://sec/debian-security bookworm-security main\n"},
			want: Mirror{Main: "http://one/debian/", Security: "http://sec/debian-security"},
		},
		{
			name: "in a deb822 file, past one that is turned off",
			files: map[string]string{"sources.list.d/a.sources": "Types: deb\nEnabled: no\nURIs: http://off/debian\nSuites: trixie\n\n" +
				"Types: deb-src deb\nURIs: http://two/debian\n# c\nSuites: trixie trixie-updates\nComponents: main\n"},
			want: Mirror{Main: "http://two/debian"},
		},
		{
			name: "past other archives and files that apt would refuse",
			files: map[string]string{
				"sources.list.d/a.list":    "deb http://x/debian nodistro main\ndeb http://x/ubuntu bookworm main\ndeb\ndeb [broken\n",
				"sources.list.d/b.sources": "this is no field\n",
				"sources.list.d/c.list":    "deb cdrom:[Debian]/debian bookworm main\ndeb https://three/debian bookworm main\n",
			},
			want: Mirror{Main: "https://three/debian"},
		},
		{
			name: "in the environment first",
			env:  map[string]string{"DEBIAN_MIRROR": "http://env/debian"},
			want: Mirror{Main: "http://env/debian"},
		},
		{name: "nowhere", fails: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, text := range c.files {
				p := filepath.Join(dir, name)
				if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			got, err := HostMirror(dir, func(k string) string { return c.env[k] })
			if got != c.want || (err != nil) != c.fails {
				t.Errorf("got %+v and %v, want %+v", got, err, c.want)
			}
		})
	}
}

func FuzzSources(f *testing.F) {
	f.Add("deb [a=b] http://x/debian trixie main")
	f.Add("Types: deb\nURIs: a b\nSuites: c")
	f.Fuzz(func(t *testing.T, text string) {
		all := parseListSources(text)
		if more, err := parseDeb822Sources(text); err == nil {
			all = append(all, more...)
		}
		for _, s := range all {
			if s.uri == "" || s.suite == "" {
				t.Errorf("%q gave %+v", text, s)
			}
		}
	})
}
