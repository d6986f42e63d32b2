package manager

import (
	"fmt"
	"os"
	"path/filepath"
	goruntime "runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/testudo-os/testudo/pkg/api"
	"github.com/testudo-os/testudo/pkg/service"
)

// chained is n services, each of which waits for the one before, and in every
// tenth for a network.
func chained(n int) []service.Service {
	services := []service.Service{{Name: "network", Restart: always}}
	for i := range n - 1 {
		s := service.Service{Name: fmt.Sprintf("s%d", i), Image: "testudo/many", Restart: always, MemLimit: 16 << 20, Environment: []string{fmt.Sprint("NUMBER=", i)}}
		if i%10 != 0 {
			s.DependsOn = []service.Dependency{{Name: fmt.Sprintf("s%d", i-1), Condition: service.ReadyCondition, Required: true}}
		} else {
			s.DependsOn = []service.Dependency{{Name: "network", Condition: service.ReadyCondition, Required: true}}
		}
		services = append(services, s)
	}
	return services
}

func heap() int64 {
	goruntime.GC()
	goruntime.GC()
	var m goruntime.MemStats
	goruntime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// What rosd holds for a service does not grow with the number of services, and
// all of them run.
func TestHundredsOfServicesRunAndEachTakesAsMuchMemoryAsOne(t *testing.T) {
	// Records are in RAM on a machine too.
	ram, err := os.MkdirTemp("/dev/shm", "records")
	if err != nil {
		ram = t.TempDir()
	}
	defer os.RemoveAll(ram)
	each := func(n int) (bytes int64) {
		synctest.Test(t, func(t *testing.T) {
			f, dir := newMachine(), filepath.Join(ram, fmt.Sprint(n))
			before := heap()
			m := supervise(t, f, dir, 4, chained(n)...)
			for m.get(fmt.Sprintf("s%d", n-2)).State != api.StateRunning {
				time.Sleep(time.Second)
			}
			rows, err := m.Services(t.Context())
			if err != nil || len(rows) != n {
				t.Fatalf("%d services (%v)", len(rows), err)
			}
			for _, row := range rows {
				if row.State != api.StateRunning || row.Restarts != 0 {
					t.Errorf("%s is %s: %s", row.Name, row.State, row.Reason)
				}
			}
			rows = nil
			bytes = (heap() - before) / int64(n)
			m.end()
		})
		return bytes
	}
	each(10) // what is made once is made
	few, many := each(100), each(800)
	t.Logf("%d bytes each of 100, %d of 800", few, many)
	if most := int64(32 << 10); many > most || many > 2*few {
		t.Errorf("a service takes %d bytes of 100 services and %d of 800, want %d at most and no more than twice as many", few, many, most)
	}
}
