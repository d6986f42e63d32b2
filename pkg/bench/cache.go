package bench

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"time"
)

// methodVersion changes whenever a figure is taken in another way, so that no
// table mixes figures of two methods.
const methodVersion = "2"

// remembered finds the figures of a sealed subject that were taken with this
// same probe, kernel arguments and options. Those of Debian need not be taken
// again for each change of Testudo.
func (b *Bench) remembered(s Subject, o Options) *Result {
	path, err := b.memory(s)
	if err != nil {
		return nil
	}
	var r Result
	if err := readJSON(path, &r); err != nil {
		return nil // none, or one of another time
	}
	if _, ok := r.Figures[MemoryLeast]; o.Least && !ok {
		return nil
	}
	if r.Runs < o.Runs {
		return nil
	}
	return &r
}

// remember keeps a whole result.
func (b *Bench) remember(s Subject, r *Result) error {
	if s.Sealed == "" || len(r.Problems) > 0 {
		return nil
	}
	path, err := b.memory(s)
	if err != nil {
		return err
	}
	kept := *r
	kept.Cached = time.Now().UTC().Format(time.DateOnly)
	text, err := json.MarshalIndent(&kept, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o644)
}

func (b *Bench) memory(s Subject) (string, error) {
	probe, err := os.ReadFile(b.Probe)
	if err != nil {
		return "", err
	}
	if s.Sealed == "" {
		return "", os.ErrNotExist
	}
	h := sha256.New()
	for _, part := range []string{methodVersion, s.Sealed, kernelArguments, b.Append, s.Append, s.await(), string(b.Accel), string(probe)} {
		h.Write([]byte(part))
		h.Write([]byte{0})
	}
	return filepath.Join(b.Dir, "figures-"+s.Name+"-"+hex.EncodeToString(h.Sum(nil)[:6])+".json"), nil
}
