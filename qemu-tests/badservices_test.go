package qemutests

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/testudo-os/testudo/pkg/layout"
)

// badServices are files that a user might write, by what is wrong with them.
func badServices() map[string]string {
	return map[string]string{
		"unknown-key":   "services:\n  unknown-key:\n    image: testudo/base\n    comand: [\"true\"]\n",
		"wrong-type":    "services:\n  wrong-type:\n    image: testudo/base\n    mem_limit: [1]\n",
		"cycle":         "services:\n  cycle-a:\n    image: testudo/base\n    depends_on: [cycle-b]\n  cycle-b:\n    image: testudo/base\n    depends_on: [cycle-a]\n",
		"missing-image": "services:\n  missing-image:\n    image: testudo/nowhere\n",
		"no-command":    "services:\n  no-command:\n    image: testudo/base\n    command: [\"/no/such/program\"]\n    entrypoint: []\n",
		"not-yaml":      "services: [\n",
	}
}

func TestBadServiceFilesStopNothing(t *testing.T) {
	t.Parallel()
	config := "write_files:\n"
	for name, text := range badServices() {
		config += fmt.Sprintf("  - path: %s/%s.yaml\n    encoding: b64\n    content: %s\n",
			layout.UserServices, name, base64.StdEncoding.EncodeToString([]byte(text)))
	}
	disk := newDisk(t, diskSize)
	// The files are there from the second boot on, when they are read early.
	first := boot(t, setup{disks: disks(disk), args: autoformat, cloudConfig: config})
	if _, err := first.login("ros").try("sudo ros poweroff"); err != nil && !isGone(err) {
		t.Log(err)
	}
	first.waitExit()

	m := boot(t, setup{disks: disks(disk), cloudConfig: config})
	ros := m.login("ros")
	ros.waitReady(coreServices()...)
	m.eventually(time.Minute, func() error {
		status := ros.run("ros status --format json")
		for name := range badServices() {
			if !strings.Contains(status, name) {
				return fmt.Errorf("ros status does not speak of %s:\n%s", name, status)
			}
		}
		return nil
	})
}
