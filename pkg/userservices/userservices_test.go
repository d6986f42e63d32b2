package userservices

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func store(t *testing.T) Store {
	dir := t.TempDir()
	return Store{Dir: filepath.Join(dir, "services"), ChoicesFile: filepath.Join(dir, "choices.yaml")}
}

func TestTheLastChoiceCounts(t *testing.T) {
	s := store(t)
	for _, step := range []struct {
		name string
		on   bool
		want string
	}{
		{"a", true, "{[a] []}"},
		{"b", false, "{[a] [b]}"},
		{"a", false, "{[] [b a]}"},
		{"b", true, "{[b] [a]}"},
		{"b", true, "{[b] [a]}"},
	} {
		if err := s.Choose(step.name, step.on); err != nil {
			t.Fatal(err)
		}
		got, err := s.Choices()
		if err != nil || fmt.Sprint(got) != step.want {
			t.Errorf("after %+v: got %v, %v", step, got, err)
		}
	}
	if err := s.Forget("a"); err != nil {
		t.Fatal(err)
	}
	if got, _ := s.Choices(); fmt.Sprint(got) != "{[b] []}" {
		t.Errorf("got %v", got)
	}
}

func TestAFileThatIsNotUnderstoodIsNotWrittenOver(t *testing.T) {
	s := store(t)
	if err := os.WriteFile(s.ChoicesFile, []byte("disabel: [a]\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Choices(); err == nil || !strings.Contains(err.Error(), `choices.yaml:1:1: disabel: unknown key (did you mean "disable"?)`) {
		t.Errorf("got %v", err)
	}
	if err := s.Choose("b", true); err == nil {
		t.Error("it was written over")
	}
}

func TestFilesAreCreatedOnceAndRemoved(t *testing.T) {
	s := store(t)
	if err := s.Create("web", []byte("services: {}\n")); err != nil {
		t.Fatal(err)
	}
	if err := s.Create("web", []byte("other")); err == nil {
		t.Error("a file was written over")
	}
	if got, err := os.ReadFile(s.Path("web")); string(got) != "services: {}\n" {
		t.Errorf("got %q, %v", got, err)
	}
	if err := s.Remove(s.ChoicesFile); err == nil {
		t.Error("a file outside of the folder may be removed")
	}
	if err := s.Remove(s.Path("web")); err != nil {
		t.Fatal(err)
	}
	if err := s.Remove(s.Path("web")); err == nil {
		t.Error("it was removed twice")
	}
}
