package service

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// Env gives the service's whole environment: that of its files, later ones
// winning, under its own. read gives a file's content; it is called when the
// service starts, because such files may be rendered after boot.
func (s Service) Env(read func(path string) ([]byte, error)) ([]string, error) {
	values := map[string]string{}
	put := func(list []string) {
		for _, kv := range list {
			key, value, _ := strings.Cut(kv, "=")
			values[key] = value
		}
	}
	for _, f := range s.EnvFiles {
		data, err := read(f.Path)
		if errors.Is(err, fs.ErrNotExist) && !f.Required {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("env_file of %s: %w", s.Name, err)
		}
		list, err := ParseEnvFile(f.Path, data)
		if err != nil {
			return nil, fmt.Errorf("env_file of %s: %w", s.Name, err)
		}
		put(list)
	}
	put(s.Environment)
	out := make([]string, 0, len(values))
	for key, value := range values {
		out = append(out, key+"="+value)
	}
	slices.Sort(out)
	return out, nil
}

// ParseEnvFile reads lines KEY=VALUE. Empty lines and those that begin with #
// say nothing; "export " before a key is passed over. A value in single quotes
// is as it stands; in double quotes \n, \t, \" and \\ have their meaning;
// without quotes it ends before " #".
func ParseEnvFile(name string, data []byte) ([]string, error) {
	var out []string
	for i, line := range strings.Split(string(data), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		line = strings.TrimSpace(strings.TrimPrefix(line, "export "))
		key, value, ok := strings.Cut(line, "=")
		key = strings.TrimSpace(key)
		if !ok || key == "" || variable(key) != key {
			return nil, fmt.Errorf("%s:%d: want KEY=VALUE", name, i+1)
		}
		value, err := unquote(strings.TrimSpace(value))
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %s: %w", name, i+1, key, err)
		}
		if strings.Contains(value, "\x00") {
			return nil, fmt.Errorf("%s:%d: %s: holds a zero byte", name, i+1, key)
		}
		out = append(out, key+"="+value)
	}
	return out, nil
}

func unquote(value string) (string, error) {
	if value == "" || value[0] != '"' && value[0] != '\'' {
		if strings.HasPrefix(value, "#") {
			return "", nil
		}
		bare, _, _ := strings.Cut(value, " #")
		return strings.TrimSpace(bare), nil
	}
	var out strings.Builder
	quote := value[0]
	for i := 1; i < len(value); i++ {
		switch c := value[i]; {
		case c == quote:
			if rest := strings.TrimSpace(value[i+1:]); rest != "" && rest[0] != '#' {
				return "", errors.New("text stands after the closing quote")
			}
			return out.String(), nil
		case c == '\\' && quote == '"' && i+1 < len(value):
			i++
			switch value[i] {
			case 'n':
				out.WriteByte('\n')
			case 't':
				out.WriteByte('\t')
			case 'r':
				out.WriteByte('\r')
			case '"', '\\', '$':
				out.WriteByte(value[i])
			default:
				out.WriteByte('\\')
				out.WriteByte(value[i])
			}
		default:
			out.WriteByte(c)
		}
	}
	return "", errors.New("a quote is opened and not closed")
}
