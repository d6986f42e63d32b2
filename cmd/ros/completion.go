package main

import (
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

func completionBash(_ context.Context, s *session, _ []string) error {
	s.printf("%s", bashScript)
	return nil
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
		return s.serviceNames(ctx)
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
