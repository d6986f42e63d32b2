package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/testudo-os/testudo/pkg/config"
	"github.com/testudo-os/testudo/pkg/service"
)

func TestFilesAreGivenToServices(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("files of root's can be made by root alone")
	}
	dir := t.TempDir()
	set := &service.Set{Services: []service.Service{{Name: "web", Volumes: []service.Volume{{Source: "/old", Target: "/etc/web.conf"}}}, {Name: "other"}}}
	file := config.WriteFile{Path: "/etc/web.conf", Content: "listen 80\n", Service: "web", Permissions: "0640"}
	giveFiles(set, []config.WriteFile{file, {Path: "/console", Content: "x"}, {Path: "/x", Service: "nobody"}, {Path: "/y", Service: "web", Owner: "www-data"}}, dir)
	web := set.Services[0]
	if len(web.Volumes) != 1 || web.Volumes[0].Target != "/etc/web.conf" || !web.Volumes[0].ReadOnly {
		t.Fatalf("volumes: %+v", web.Volumes)
	}
	text, err := os.ReadFile(web.Volumes[0].Source)
	if err != nil || string(text) != "listen 80\n" {
		t.Errorf("got %q, %v", text, err)
	}
	if info, err := os.Stat(web.Volumes[0].Source); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if len(set.Services[1].Volumes) > 0 || set.Services[1].Labels != nil {
		t.Errorf("another service was changed: %+v", set.Services[1])
	}
	if len(set.Problems) != 2 || !strings.Contains(set.Problems[0].Error(), "write_files[2]: there is no service nobody") || !strings.Contains(set.Problems[1].Error(), "write_files[3]: owner www-data") {
		t.Errorf("problems: %v", set.Problems)
	}
	if _, err := os.Stat(filepath.Join(dir, "console")); err == nil {
		t.Error("the console's file was written, too")
	}

	again := &service.Set{Services: []service.Service{{Name: "web"}}}
	giveFiles(again, []config.WriteFile{file}, dir)
	file.Content = "listen 81\n"
	other := &service.Set{Services: []service.Service{{Name: "web"}}}
	giveFiles(other, []config.WriteFile{file}, dir)
	if a, b := again.Services[0].Labels[filesLabel], other.Services[0].Labels[filesLabel]; a == "" || a == b {
		t.Errorf("a changed file changes nothing of the service: %q %q", a, b)
	}
}
