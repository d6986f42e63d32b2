package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// next gives the next command, as text.
func next(t *testing.T, commands <-chan []string) string {
	t.Helper()
	select {
	case c := <-commands:
		return strings.Join(c, " ")
	case <-time.After(10 * time.Second):
		t.Fatal("no command came")
		return ""
	}
}

func TestAChangedFileLeadsToItsCommand(t *testing.T) {
	sources, names := t.TempDir(), t.TempDir()
	commands, err := watch([]rule{
		{dir: sources, file: "*.sources", command: []string{"reload", "sources"}},
		{dir: names, file: "resolv.conf", command: []string{"online"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(sources, "dhcp.sources")
	put := func(path string) {
		t.Helper()
		if err := os.WriteFile(path+".new", nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []struct {
		name, want string
		do         func()
	}{
		{"a file that is put in place", "reload sources", func() { put(path) }},
		{"one that is replaced", "reload sources", func() { put(path) }},
		{"one that is removed", "reload sources", func() {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}},
		{"the resolver's file after one that does not matter", "online", func() {
			put(filepath.Join(sources, "note"))
			put(filepath.Join(names, "resolv.conf"))
		}},
	} {
		step.do()
		if got := next(t, commands); got != step.want {
			t.Errorf("%s: got %q, want %q", step.name, got, step.want)
		}
	}
}

func TestAFolderThatIsNotThereIsNamed(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "none")
	if _, err := watch([]rule{{dir: missing, file: "*"}}); err == nil || !strings.Contains(err.Error(), missing) {
		t.Errorf("got %v", err)
	}
}

func FuzzFollow(f *testing.F) {
	f.Add([]byte("\x01\x00\x00\x00\x80\x00\x00\x00\x00\x00\x00\x00\x10\x00\x00\x00a.sources\x00\x00\x00\x00\x00\x00\x00"))
	f.Add([]byte("\x01\x00\x00\x00\x80\x00\x00\x00\x00\x00\x00\x00\xff\xff\xff\xffa.sources"))
	rules := map[int32][]rule{1: {{file: "*.sources", command: []string{"reload"}}}}
	f.Fuzz(func(t *testing.T, events []byte) {
		if got := follow(rules, events); len(got) > 1 {
			t.Errorf("one command is told %d times", len(got))
		}
	})
}
