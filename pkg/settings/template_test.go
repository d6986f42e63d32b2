package settings

import (
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/testudo-os/testudo/pkg/datasource"
)

// The real program, as the system has it.
func program(t *testing.T) templates {
	t.Helper()
	file := filepath.Join(t.TempDir(), "jinja")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", file, "../../cmd/jinja").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return templates{file}
}

func TestTemplatesAreFilledIn(t *testing.T) {
	p := program(t)
	data := &datasource.Data{Cloud: "ec2", Meta: datasource.Meta{InstanceID: "i-1", Hostname: "tortoise"}}
	got, err := p.fillIn(t.Context(), data, "user-data", "hostname: {{ v1.local_hostname }}-{{ v1.instance_id }}\n")
	if err != nil || got != "hostname: tortoise-i-1\n" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := p.fillIn(t.Context(), data, "user-data", "a: 1\nb: {{ nonesuch }}\n"); err == nil || !strings.HasPrefix(err.Error(), "user-data:") || !strings.Contains(err.Error(), "nonesuch") {
		t.Errorf("a variable that is not there: %v", err)
	}
}

func TestATemplateThatCannotBeFilledInIsAnError(t *testing.T) {
	if _, err := (templates{"/nonesuch"}).fillIn(t.Context(), &datasource.Data{}, "user-data", "x"); err == nil || !strings.Contains(err.Error(), "user-data: fill in") {
		t.Errorf("without the program: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := program(t).fillIn(ctx, &datasource.Data{}, "user-data", "x"); err == nil {
		t.Error("no error after the end")
	}
}
