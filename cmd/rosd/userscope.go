package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
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

// handOver writes the compose file for the services of scope user and adds the
// service that brings them up. Without any there is neither.
func handOver(set *service.Set, dir string) error {
	text, err := set.Compose()
	if err != nil || text == nil {
		return err
	}
	if set.Has(composeService) {
		return fmt.Errorf("services of scope user cannot be run: the name %s, of what runs them, is taken", composeService)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("services of scope user: %w", err)
	}
	file := filepath.Join(dir, "compose.yaml")
	if err := atomicfile.Write(file, text, 0o600); err != nil {
		return fmt.Errorf("services of scope user: %w", err)
	}
	digest := sha256.Sum256(text)
	set.Services = append(set.Services, service.Service{
		Name: composeService, Source: file, Image: "testudo/docker", Scope: service.ScopeSystem,
		Entrypoint: []string{"/usr/bin/docker", "compose", "--project-name", "testudo", "--file", file, "up", "--detach", "--remove-orphans", "--quiet-pull"},
		// Another file is another service: it runs again.
		Labels:      map[string]string{"compose.digest": hex.EncodeToString(digest[:])},
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
