package config

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/testudo-os/testudo/pkg/strictyaml"
)

// Set gives text, a configuration file, with one key set to a value in YAML.
// Only the lines of the top-level key that the change is in are written anew,
// with their comments; all others stay as they are. The result is valid.
func Set(file string, text []byte, key Key, value string) ([]byte, error) {
	node, err := key.node(value)
	if err != nil {
		return nil, fmt.Errorf("set %s: %w", key, err)
	}
	return change(file, text, "set "+key.String(), key.Steps[0], func(root *yaml.Node) error { return put(root, key.Steps, node) })
}

// Unset gives text without a key. What holds nothing more goes with it.
func Unset(file string, text []byte, key Key) ([]byte, error) {
	return change(file, text, "unset "+key.String(), key.Steps[0], func(root *yaml.Node) error {
		found, err := take(root, key.Steps)
		if err == nil && !found {
			err = errors.New("it is not set in " + file)
		}
		return err
	})
}

// MergeText lays over, another file, over text: mappings key by key, all else
// is replaced.
func MergeText(file string, text []byte, overFile string, over []byte) ([]byte, error) {
	if _, err := Parse(overFile, over); err != nil {
		return nil, err
	}
	// The first line is no comment of the first key's.
	docs, err := strictyaml.Parse(overFile, bytes.TrimPrefix(unmarked(over), []byte(Header+"\n")))
	if err != nil {
		return nil, err
	}
	if len(docs) == 0 {
		return text, nil
	}
	if here, err := strictyaml.Parse(file, unmarked(text)); err == nil && len(here) == 0 && len(bytes.TrimSpace(text)) <= len(Header) {
		return over, nil // as it is, comments and all
	}
	root := docs[0].Content[0]
	if leans(root) {
		var errs strictyaml.Errors
		if root, errs = strictyaml.Plain(overFile, root); len(errs) > 0 {
			return nil, errs
		}
	}
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, value := root.Content[i], root.Content[i+1]
		if text, err = edited(file, text, key.Value, func(top *yaml.Node) error { return lay(top, key, value) }); err != nil {
			return nil, fmt.Errorf("merge %s: %w", key.Value, err)
		}
	}
	if _, err := Parse(file, text); err != nil {
		return nil, fmt.Errorf("merge %s: the result is not valid:\n%w", overFile, err)
	}
	return text, nil
}

// leans says whether a node has aliases, which mean nothing elsewhere.
func leans(n *yaml.Node) bool {
	return n.Kind == yaml.AliasNode || slices.ContainsFunc(n.Content, leans)
}

// change edits and checks.
func change(file string, text []byte, what, top string, edit func(root *yaml.Node) error) ([]byte, error) {
	out, err := edited(file, text, top, edit)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	if _, err := Parse(file, out); err != nil {
		if _, before := Parse(file, text); before != nil {
			return nil, fmt.Errorf("%s: %s has mistakes already; mend it first (ros config edit):\n%w", what, file, before)
		}
		return nil, fmt.Errorf("%s: %w", what, refusal(err))
	}
	return out, nil
}

// refusal gives findings without the lines of a text that nobody has seen.
func refusal(err error) error {
	var findings strictyaml.Errors
	if !errors.As(err, &findings) {
		return err
	}
	lines := make([]string, len(findings))
	for i, f := range findings {
		lines[i] = f.Message
		if f.Path != "" {
			lines[i] = f.Path + ": " + f.Message
		}
	}
	return errors.New(strings.Join(lines, "\n"))
}

func unmarked(text []byte) []byte {
	return bytes.ReplaceAll(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")), []byte("\r\n"), []byte("\n"))
}

// edited has edit change the mapping that holds one top-level key, alone where
// the text allows it, and puts the result in the place of its lines.
func edited(file string, text []byte, top string, edit func(root *yaml.Node) error) ([]byte, error) {
	text = unmarked(text)
	docs, err := strictyaml.Parse(file, text)
	if err != nil {
		return nil, err
	}
	if len(docs) > 1 {
		return nil, fmt.Errorf("%s holds several documents", file)
	}
	if len(docs) == 0 { // nothing, or comments alone
		block, err := rewritten(nil, edit)
		if err != nil {
			return nil, err
		}
		if len(bytes.TrimSpace(text)) == 0 {
			text = []byte(Header + "\n")
		}
		return slices.Concat(ended(text), block), nil
	}
	root := docs[0].Content[0]
	if root.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("%s holds no mapping", file)
	}
	lines := strings.SplitAfter(string(text), "\n")
	from, to, ok := blockOf(root, lines, top)
	if !ok {
		return whole(docs[0], edit)
	}
	before, block, after := strings.Join(lines[:from], ""), strings.Join(lines[from:to], ""), strings.Join(lines[to:], "")
	if block == "" {
		before = string(ended([]byte(before)))
	}
	fresh, err := rewritten([]byte(block), edit)
	if err != nil {
		if strings.Contains(block, "*") || strings.Contains(block, "&") {
			return whole(docs[0], edit) // it may lean on an anchor elsewhere
		}
		return nil, err
	}
	if strings.Contains(block, "&") {
		// What is elsewhere may lean on an anchor here, which may have gone.
		if _, err := strictyaml.Parse(file, []byte(before+string(fresh)+after)); err != nil {
			return nil, fmt.Errorf("an alias elsewhere in the file stands for a part of it: %w", err)
		}
	}
	return []byte(before + string(fresh) + after), nil
}

// ended gives text with a line end as its last byte.
func ended(text []byte) []byte {
	if len(text) > 0 && text[len(text)-1] != '\n' {
		return append(text, '\n')
	}
	return text
}

// blockOf finds the lines of a top-level key: from its own to the last before
// the next key and the comments above that. Of a key that is not there it gives
// the end of the text. It does not do for a mapping in braces.
func blockOf(root *yaml.Node, lines []string, top string) (from, to int, ok bool) {
	if root.Style&yaml.FlowStyle != 0 {
		return 0, 0, false
	}
	var starts []int
	at := -1
	for i := 0; i+1 < len(root.Content); i += 2 {
		key := root.Content[i]
		if key.Column != 1 || key.Line < 1 || key.Line > len(lines) {
			return 0, 0, false
		}
		if key.Value == top {
			at = len(starts)
		}
		starts = append(starts, key.Line-1)
	}
	end := len(lines)
	for i, l := range lines { // an end of the document that is written out
		if i > starts[len(starts)-1] && (strings.HasPrefix(l, "...") || strings.HasPrefix(l, "---")) {
			end = i
			break
		}
	}
	if at < 0 {
		return end, end, true
	}
	from, to = starts[at], end
	if at+1 < len(starts) {
		to = starts[at+1]
	}
	for to > from+1 && (strings.TrimSpace(lines[to-1]) == "" || strings.HasPrefix(lines[to-1], "#")) {
		to--
	}
	return from, to, true
}

// rewritten edits the YAML of one top-level key by itself; nothing is left of
// it when its mapping is empty afterwards.
func rewritten(block []byte, edit func(root *yaml.Node) error) ([]byte, error) {
	doc := &yaml.Node{Kind: yaml.DocumentNode, Content: []*yaml.Node{{Kind: yaml.MappingNode, Tag: "!!map"}}}
	if len(bytes.TrimSpace(block)) > 0 {
		docs, err := strictyaml.Parse("", block)
		if err != nil || len(docs) != 1 {
			return nil, fmt.Errorf("its lines cannot be read by themselves: %w", err)
		}
		doc = docs[0]
	}
	return whole(doc, edit)
}

func whole(doc *yaml.Node, edit func(root *yaml.Node) error) ([]byte, error) {
	if err := edit(doc.Content[0]); err != nil {
		return nil, err
	}
	if len(doc.Content[0].Content) == 0 {
		return nil, nil
	}
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(doc); err != nil {
		return nil, fmt.Errorf("write YAML: %w", err)
	}
	return b.Bytes(), e.Close()
}

// put sets the value at the end of steps below n.
func put(n *yaml.Node, steps []string, value *yaml.Node) error {
	if n.Kind == yaml.AliasNode {
		return errors.New("an alias stands there; change it in the file (ros config edit)")
	}
	if len(steps) == 0 {
		head, line, foot := n.HeadComment, n.LineComment, n.FootComment
		anchor := n.Anchor
		*n = *value
		n.HeadComment, n.LineComment, n.FootComment, n.Anchor = head, line, foot, anchor
		return nil
	}
	if index, ok := element(steps[0]); ok {
		if strictyaml.IsNull(n) {
			n.Kind, n.Tag, n.Value = yaml.SequenceNode, "!!seq", ""
		}
		switch {
		case n.Kind != yaml.SequenceNode:
			return fmt.Errorf("no list stands before %s", steps[0])
		case index > len(n.Content):
			return fmt.Errorf("the list has %d elements, so %s cannot be", len(n.Content), steps[0])
		case index == len(n.Content):
			n.Content = append(n.Content, nothing())
		}
		return put(n.Content[index], steps[1:], value)
	}
	if strictyaml.IsNull(n) {
		n.Kind, n.Tag, n.Value = yaml.MappingNode, "!!map", ""
	}
	if n.Kind != yaml.MappingNode {
		return fmt.Errorf("no mapping stands before %s", steps[0])
	}
	if len(n.Content) == 0 {
		n.Style &^= yaml.FlowStyle
	}
	at := keyAt(n, steps[0])
	if at < 0 {
		n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: steps[0]}, nothing())
		at = len(n.Content) - 2
	}
	return put(n.Content[at+1], steps[1:], value)
}

func nothing() *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null"} }

// take removes what is at the end of steps, and what is empty without it.
func take(n *yaml.Node, steps []string) (found bool, err error) {
	if n.Kind == yaml.AliasNode {
		return false, errors.New("an alias stands there; change it in the file (ros config edit)")
	}
	at, width := -1, 1
	if index, ok := element(steps[0]); ok {
		if n.Kind == yaml.SequenceNode && index < len(n.Content) {
			at = index
		}
	} else if n.Kind == yaml.MappingNode {
		at, width = keyAt(n, steps[0]), 2
	}
	if at < 0 {
		return false, nil
	}
	if len(steps) > 1 {
		child := n.Content[at+width-1]
		found, err = take(child, steps[1:])
		if err != nil || !found || len(child.Content) > 0 {
			return found, err
		}
	}
	n.Content = slices.Delete(n.Content, at, at+width)
	return true, nil
}

// lay puts one key with its value over the mapping n.
func lay(n, key, value *yaml.Node) error {
	if n.Kind == yaml.AliasNode {
		return errors.New("an alias stands there; change it in the file (ros config edit)")
	}
	at := keyAt(n, key.Value)
	if at < 0 {
		n.Content = append(n.Content, key, value)
		return nil
	}
	have := n.Content[at+1]
	if have.Kind != yaml.MappingNode || value.Kind != yaml.MappingNode {
		return put(have, nil, value)
	}
	for i := 0; i+1 < len(value.Content); i += 2 {
		if err := lay(have, value.Content[i], value.Content[i+1]); err != nil {
			return err
		}
	}
	return nil
}

func keyAt(n *yaml.Node, key string) int {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return i
		}
	}
	return -1
}

// element reads "[3]".
func element(step string) (int, bool) {
	digits, ok := strings.CutPrefix(step, "[")
	if !ok {
		return 0, false
	}
	i, err := strconv.Atoi(strings.TrimSuffix(digits, "]"))
	return i, err == nil
}
