package main

import (
	"github.com/testudo-os/testudo/pkg/api"

	"context"
	"strings"
	"time"

	"github.com/spf13/pflag"
)

// completeVerb is asked by the shell: the words typed so far, the last one
// being the one to complete.
const completeVerb = "__complete"

const bashScript = `# bash completion for ros: source this, or install it as
# /usr/share/bash-completion/completions/ros
_ros() {
    local line
    COMPREPLY=()
    while IFS= read -r line; do
        COMPREPLY+=("$line")
    done < <(ros __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o default -F _ros ros
`

const zshScript = `#compdef ros
# zsh completion for ros: source this, or install it as _ros in a folder of
# $fpath.
_ros() {
    local -a found
    found=(${(f)"$(ros __complete "${(@)words[2,CURRENT]}" 2>/dev/null)"})
    if (( $#found )); then
        compadd -a found
    else
        _files
    fi
}
if [ "$funcstack[1]" = "_ros" ]; then
    _ros "$@"
else
    compdef _ros ros
fi
`

func completion(script string) action {
	return func(_ context.Context, s *session, _ []string) error {
		s.printf("%s", script)
		return nil
	}
}

func complete(ctx context.Context, s *session, words []string) error {
	if len(words) == 0 {
		words = []string{""}
	}
	last, before := words[len(words)-1], words[:len(words)-1]
	for _, c := range s.candidates(ctx, before, last) {
		if strings.HasPrefix(c, last) {
			s.printf("%s\n", c)
		}
	}
	return nil
}

func (s *session) candidates(ctx context.Context, before []string, last string) []string {
	at := root()
	for _, word := range before {
		if at.sub == nil {
			break // arguments from here on
		}
		if at = at.find(word); at == nil {
			return nil
		}
	}
	switch {
	case at.sub != nil:
		return at.names()
	case strings.HasPrefix(last, "-"):
		return flagNames(at)
	case at.services:
		names := s.serviceNames(ctx)
		if len(names) > 0 && strings.HasSuffix(at.name, "logs") {
			names = append(names, api.KernelLog, api.RosdLog)
		}
		return names
	}
	return nil
}

func flagNames(c *command) []string {
	out := []string{"--format", "--help"}
	set := pflag.NewFlagSet(c.name, pflag.ContinueOnError)
	c.flags(set)
	set.VisitAll(func(f *pflag.Flag) { out = append(out, "--"+f.Name) })
	return out
}

// serviceNames asks rosd, but not for long: someone holds the tab key.
func (s *session) serviceNames(ctx context.Context) []string {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	services, err := s.client().Services(ctx)
	if err != nil {
		return nil // no completion is all that can be said here
	}
	var out []string
	for _, v := range services {
		out = append(out, v.Name)
	}
	return out
}
