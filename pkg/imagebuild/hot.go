package imagebuild

import (
	"fmt"
	"strings"

	"github.com/testudo-os/testudo/pkg/filetree"
	"github.com/testudo-os/testudo/pkg/recipe"
)

// Hot lists the files of a recipe's tree, as TreeTar has it, that every boot reads.
func (b *Builder) Hot(name string, t *filetree.Tree) ([]string, error) {
	if _, err := b.recipes.Order(name); err != nil {
		return nil, err
	}
	return hotFiles(b.recipes[name], t)
}

// hotFiles are the files of a tree that a recipe calls hot. A pattern that
// matches none is an error.
func hotFiles(r *recipe.Recipe, t *filetree.Tree) ([]string, error) {
	patterns := compile(r.Hot)
	var hot []string
	for _, p := range t.Paths() {
		if t.Get(p).Type == filetree.File && matches(patterns, p) {
			hot = append(hot, p)
		}
	}
	if missed := unused(patterns); len(missed) > 0 {
		return nil, fmt.Errorf("hot: no file matches %s", strings.Join(missed, ", "))
	}
	return hot, nil
}
