// Package cmdline reads the kernel command line. It parses text only: no I/O,
// and no opinion about which arguments exist. Anyone may import it.
package cmdline

import "strings"

// Arg is one argument as the kernel would split it.
type Arg struct {
	Key      string
	Value    string
	HasValue bool // "quiet" has none, "panic=" has an empty one
}

// Args are all arguments in order.
type Args []Arg

// Parse splits a command line as lib/cmdline.c does: at white space outside
// double quotes; quotes around the value or around the whole argument go.
// Arguments behind "--" are for init itself and are included.
func Parse(line string) Args {
	var args Args
	for rest := line; ; {
		rest = strings.TrimLeft(rest, " \t\n\r\v\f")
		if rest == "" {
			return args
		}
		end, quoted := len(rest), false
		for i := 0; i < len(rest); i++ {
			if rest[i] == '"' {
				quoted = !quoted
			} else if !quoted && strings.IndexByte(" \t\n\r\v\f", rest[i]) >= 0 {
				end = i
				break
			}
		}
		word := rest[:end]
		rest = rest[end:]
		if word == "--" {
			continue
		}
		if len(word) >= 2 && word[0] == '"' {
			word = strings.TrimSuffix(word[1:], `"`)
		}
		key, value, has := strings.Cut(word, "=")
		if len(value) >= 2 && value[0] == '"' {
			value = strings.TrimSuffix(value[1:], `"`)
		}
		args = append(args, Arg{Key: key, Value: value, HasValue: has})
	}
}

// same says whether two names are one to the kernel, which takes - for _.
func same(a, b string) bool {
	return a == b || strings.ReplaceAll(a, "-", "_") == strings.ReplaceAll(b, "-", "_")
}

// Get gives the last value of key, and whether the key was there at all.
func (a Args) Get(key string) (string, bool) {
	for i := len(a) - 1; i >= 0; i-- {
		if same(a[i].Key, key) {
			return a[i].Value, true
		}
	}
	return "", false
}

// Bool reads a switch: the bare word, 1, true, yes and on switch it on.
func (a Args) Bool(key string) bool {
	value, ok := a.Get(key)
	switch strings.ToLower(value) {
	case "", "1", "true", "yes", "on":
		return ok
	}
	return false
}

// Module gives the parameters of a kernel module written as MODULE.PARAM=VALUE,
// in the form that finit_module takes.
func (a Args) Module(name string) string {
	var params []string
	for _, arg := range a {
		module, param, ok := strings.Cut(arg.Key, ".")
		if !ok || param == "" || !same(module, name) {
			continue
		}
		if arg.HasValue {
			value := arg.Value
			if strings.ContainsAny(value, " \t") {
				value = `"` + value + `"`
			}
			param += "=" + value
		}
		params = append(params, param)
	}
	return strings.Join(params, " ")
}

// List gives the comma-separated values of every occurrence of key.
func (a Args) List(key string) []string {
	var out []string
	for _, arg := range a {
		if !same(arg.Key, key) {
			continue
		}
		for item := range strings.SplitSeq(arg.Value, ",") {
			if item != "" {
				out = append(out, item)
			}
		}
	}
	return out
}
