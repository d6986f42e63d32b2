package cgroupstat

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestRead(t *testing.T) {
	for _, c := range []struct {
		name  string
		files map[string]string
		want  Stat
	}{
		{"all controllers", map[string]string{
			"cpu.stat": "usage_usec 1234567\nuser_usec 1000000\n", "memory.current": "4096\n", "memory.max": "67108864\n", "pids.current": "3\n",
			"io.stat": "254:0 rbytes=100 wbytes=20 rios=1 wios=1 dbytes=0 dios=0\n7:0 \n254:16 rbytes=1 wbytes=2\n",
		}, Stat{CPU: 1234567, Memory: 4096, MemoryLimit: 64 << 20, Processes: 3, ReadBytes: 101, WriteBytes: 22}},
		{"no limit", map[string]string{"memory.max": "max\n"}, Stat{}},
		{"no controller", nil, Stat{}},
		{"what is no number counts as nothing", map[string]string{"pids.current": "many\n", "cpu.stat": "usage_usec\n\n"}, Stat{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, text := range c.files {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if got, err := Read(dir); err != nil || got != c.want {
				t.Errorf("got  %+v (%v)\nwant %+v", got, err, c.want)
			}
		})
	}
	if _, err := Read(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a group that is not there: %v", err)
	}
}
