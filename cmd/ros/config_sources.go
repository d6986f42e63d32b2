package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/pflag"

	"github.com/testudo-os/testudo/pkg/api"
)

// configSources shows where user data are from, or why there are none.
func configSources(set *pflag.FlagSet) action {
	all := set.BoolP("all", "a", false, "show sources that are not asked, too")
	return func(ctx context.Context, s *session, _ []string) error {
		got, err := s.client().Sources(ctx)
		if err != nil {
			return err
		}
		if s.json() {
			return s.printJSON(got)
		}
		s.printf("%s", describeSources(got, *all))
		return nil
	}
}

// describeSources leaves out sources that nothing speaks for, unless all are
// wanted or there is nothing else to show.
func describeSources(got api.Sources, all bool) string {
	used := "none"
	if got.Used != "" {
		used = got.Used + ", instance " + got.Instance
	}
	if got.Kept {
		used += " (the copy of an earlier boot)"
	}
	head := [][]string{{"machine", got.Machine}, {"used", used}}
	if got.Request != "" {
		head = append(head, []string{"named by", got.Request})
	}
	if got.Pending != "" {
		head = append(head, []string{"pending", got.Pending})
	}
	rows := [][]string{{"SOURCE", "STATE", "WHY"}}
	hidden := 0
	for _, r := range got.Sources {
		if r.State == api.SourcePassed && !all {
			hidden++
			continue
		}
		why := r.Reason
		if r.Result != "" && r.State != api.SourceUsed {
			why += ": " + r.Result
		}
		if r.Took >= 0.1 {
			why += fmt.Sprintf(" (%.1f s)", r.Took)
		}
		rows = append(rows, []string{r.Name, string(r.State), strings.ReplaceAll(why, "\n", "; ")})
	}
	text := align(head) + "\n"
	if len(rows) > 1 {
		text += align(rows)
	}
	if hidden > 0 {
		text += fmt.Sprintf("%d sources are not asked: nothing speaks for them (--all shows why)\n", hidden)
	}
	if len(got.Problems) > 0 {
		text += "problems\n"
		for _, p := range got.Problems {
			text += "  " + p + "\n"
		}
	}
	return text
}
