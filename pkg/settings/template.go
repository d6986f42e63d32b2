package settings

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"github.com/testudo-os/testudo/pkg/datasource"
)

// templateBound is for one template: a loop in one must not hold up the boot.
const templateBound = 20 * time.Second

// templates are filled in by a program of its own; see cmd/jinja.
type templates struct{ program string }

// fillIn fills in a template with what data say of the instance. Errors of the
// template name origin, line and column.
func (t templates) fillIn(ctx context.Context, d *datasource.Data, origin, text string) (string, error) {
	// The keys are the fields of jinja.Request, which is not imported because it
	// would bring the engine.
	request, err := json.Marshal(map[string]any{"Origin": origin, "Text": text, "Variables": datasource.Variables(d)})
	if err != nil {
		return "", fmt.Errorf("%s: fill in the template: %w", origin, err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, templateBound, fmt.Errorf("not done within %v", templateBound))
	defer cancel()
	var out, mistakes bytes.Buffer
	cmd := exec.CommandContext(ctx, t.program)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(request), &out, &mistakes
	err = cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return out.String(), nil
	case ctx.Err() != nil:
		return "", fmt.Errorf("%s: fill in the template: %w", origin, context.Cause(ctx))
	case errors.As(err, &exit) && exit.ExitCode() == 1:
		return "", errors.New(strings.TrimSpace(mistakes.String()))
	}
	return "", fmt.Errorf("%s: fill in the template: %w: %s", origin, err, strings.TrimSpace(mistakes.String()))
}
