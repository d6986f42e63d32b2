package await

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestAFileThatComesLaterIsSeen(t *testing.T) {
	name := filepath.Join(t.TempDir(), "record")
	done := make(chan error, 1)
	go func() { done <- File(t.Context(), name) }()
	for _, step := range []error{
		os.WriteFile(name+".other", nil, 0o644),
		os.WriteFile(name+".new", nil, 0o644),
		os.Rename(name+".new", name),
	} {
		if step != nil {
			t.Fatal(step)
		}
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestAFileThatIsThereIsNotWaitedFor(t *testing.T) {
	if err := File(t.Context(), t.TempDir()); err != nil {
		t.Error(err)
	}
}

func TestTheContextEndsTheWait(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := File(ctx, filepath.Join(t.TempDir(), "never")); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestAMissingFolderIsToldAtOnce(t *testing.T) {
	if err := File(t.Context(), filepath.Join(t.TempDir(), "no", "file")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}
