package service

import (
	"errors"
	"slices"
	"strings"

	"github.com/testudo-os/testudo/pkg/strictyaml"
)

// SystemImages begins the names of images that come with the release.
const SystemImages = "testudo/"

// Findings is all that is wrong with a set, one finding each, in the order of
// the text. images are the names of the system images there are (testudo/NAME);
// with none given, what a service names is taken on trust.
func (set *Set) Findings(images []string) strictyaml.Errors {
	var all strictyaml.Errors
	for _, problem := range append(slices.Clone(set.Problems), set.unknownImages(images)...) {
		all = append(all, findingsOf(problem)...)
	}
	return all.Sort()
}

func findingsOf(err error) strictyaml.Errors {
	var many strictyaml.Errors
	var one strictyaml.Error
	switch {
	case errors.As(err, &many):
		return many
	case errors.As(err, &one):
		return strictyaml.Errors{one}
	}
	return strictyaml.Errors{{Message: err.Error()}}
}

// unknownImages finds services whose image cannot be there. Whether an image
// of a registry exists is not known without a network.
func (set *Set) unknownImages(images []string) (problems []error) {
	if len(images) == 0 {
		return nil
	}
	for _, s := range slices.Concat(set.Services, set.Disabled) {
		name, _, _ := strings.Cut(s.Image, ":")
		if strings.HasPrefix(name, SystemImages) && !slices.Contains(images, name) {
			problems = append(problems, s.at("image", "%s is no image of this system%s", name, strictyaml.Suggest(name, images)))
		}
	}
	return problems
}
