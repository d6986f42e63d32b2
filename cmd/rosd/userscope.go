package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/testudo-os/testudo/pkg/api"
	"github.com/testudo-os/testudo/pkg/atomicfile"
	"github.com/testudo-os/testudo/pkg/service"
)

// composeService is the one-shot service of the OS that hands the services of
// scope user to docker compose. It carries the project's name there, too.
const composeService = "compose"

// withUserScope adds the services of scope user to a listing. What they do is
// docker compose's to say; here is how far handing them over has come.
func withUserScope(rows []api.Service, user []service.Service) []api.Service {
	var state api.Service
	for _, row := range rows {
		if row.Name == composeService {
			state = row
		}
	}
	for _, s := range user {
		row := service.Status{}.API(s, time.Time{})
		row.State, row.Since, row.Reason = state.State, state.Since, "of the user runtime: `docker compose -p testudo ps` says how it is"
		if !state.Ready {
			row.Reason = "waiting for the service " + composeService + ": " + state.Reason
		}
		rows = append(rows, row)
	}
	slices.SortFunc(rows, func(a, b api.Service) int { return strings.Compare(a.Name, b.Name) })
	return rows
}

// composeFile is the file of the services of scope user. Reading service files
// says what it is to hold; it is written when the service that reads it starts,
// so that looking changes nothing.
type composeFile struct {
	dir string

	mu    sync.Mutex
	texts map[string][]byte // by composeDigest
	order []string          // of digests, the latest last
}

// composeDigest is the label by which the service says which text it is for.
const composeDigest = "compose.digest"

// keptTexts are enough for a change, what ran before it, and some dry runs.
const keptTexts = 8

func (c *composeFile) path() string { return filepath.Join(c.dir, "compose.yaml") }

func (c *composeFile) keep(digest string, text []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.texts == nil {
		c.texts = map[string][]byte{}
	}
	c.order = append(slices.DeleteFunc(c.order, func(d string) bool { return d == digest }), digest)
	c.texts[digest] = text
	for len(c.order) > keptTexts {
		delete(c.texts, c.order[0])
		c.order = c.order[1:]
	}
}

// write is for the start of the service svc, which may be any.
func (c *composeFile) write(svc *service.Service) error {
	if svc.Name != composeService {
		return nil
	}
	c.mu.Lock()
	text, known := c.texts[svc.Labels[composeDigest]]
	c.mu.Unlock()
	if !known {
		return nil // of an earlier rosd, which wrote it
	}
	err := os.MkdirAll(c.dir, 0o700)
	if err == nil {
		err = atomicfile.Write(c.path(), text, 0o600)
	}
	if err != nil {
		return fmt.Errorf("services of scope user: %w", err)
	}
	return nil
}

// handOver adds the service that brings up the services of scope user, if there
// are any.
func handOver(set *service.Set, compose *composeFile) error {
	text, err := set.Compose()
	if err != nil || text == nil {
		return err
	}
	if set.Has(composeService) {
		return fmt.Errorf("services of scope user cannot be run: the name %s, of what runs them, is taken", composeService)
	}
	sum := sha256.Sum256(text)
	digest, file, dir := hex.EncodeToString(sum[:]), compose.path(), compose.dir
	compose.keep(digest, text)
	set.Services = append(set.Services, service.Service{
		Name: composeService, Source: file, Image: "testudo/docker", Scope: service.ScopeSystem,
		Entrypoint: []string{"/usr/bin/docker", "compose", "--project-name", "testudo", "--file", file, "up", "--detach", "--remove-orphans", "--quiet-pull"},
		// Another file is another service: it runs again.
		Labels:      map[string]string{composeDigest: digest},
		Environment: []string{"DOCKER_HOST=unix:///run/docker/docker.sock", "HOME=/tmp"},
		NetworkMode: "none", CapDrop: []string{"ALL"}, SecurityOpt: service.SecurityOpt{NoNewPrivileges: true}, ReadOnly: true,
		Volumes: []service.Volume{
			{Source: "/run/docker", Target: "/run/docker"},
			{Source: dir, Target: dir, ReadOnly: true},
		},
		Tmpfs:     []service.Tmpfs{{Target: "/tmp", Size: 1 << 20}},
		MemLimit:  256 << 20,
		PidsLimit: 64,
		Restart:   service.Restart{Policy: "on-failure"}, Ready: service.ReadyExit, StopGracePeriod: service.DefaultGrace, Priority: 95,
		DependsOn: []service.Dependency{
			{Name: "docker", Condition: service.ReadyCondition, Required: true},
			{Name: "network", Condition: service.ReadyCondition},
		},
	})
	return nil
}
