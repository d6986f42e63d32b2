package runtime

import (
	"context"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/testudo-os/testudo/pkg/api"
)

// outputLimit is how much of a probe's output is kept: its last words.
const outputLimit = 4096

// Exec runs a program inside a running service, as its user, and returns its
// exit code and the end of its output. When ctx ends it is killed.
func (r *Runtime) Exec(ctx context.Context, name string, args []string) (code int, output string, err error) {
	p, err := r.begin(ctx, name, api.Exec{Command: args}, true)
	if err != nil {
		return 0, "", err
	}
	defer context.AfterFunc(ctx, func() { _ = p.kill(unix.SIGKILL) })()
	var last tail
	code, err = p.Run(context.WithoutCancel(ctx), nil, &last, nil)
	switch {
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	case err != nil:
		err = fmt.Errorf("run %q in it: %w", args[0], err)
	}
	return code, strings.TrimSpace(string(last)), err
}

// tail keeps the end of what is written.
type tail []byte

func (t *tail) Write(data []byte) (int, error) {
	*t = append(*t, data...)
	*t = (*t)[max(0, len(*t)-outputLimit):]
	return len(data), nil
}
