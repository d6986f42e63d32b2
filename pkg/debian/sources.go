package debian

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Mirror is where packages come from: base addresses of the main archive and,
// when known, of the security archive.
type Mirror struct {
	Main     string
	Security string // "" when the host uses none
}

// HostMirror says which mirror to use: $DEBIAN_MIRROR (and
// $DEBIAN_SECURITY_MIRROR) when set, else the one that the apt configuration
// below etcApt (usually /etc/apt) names.
func HostMirror(etcApt string, getenv func(string) string) (Mirror, error) {
	if m := getenv("DEBIAN_MIRROR"); m != "" {
		return Mirror{Main: m, Security: getenv("DEBIAN_SECURITY_MIRROR")}, nil
	}
	entries, err := readSources(etcApt)
	if err != nil {
		return Mirror{}, err
	}
	var m Mirror
	for _, e := range entries {
		u, err := url.Parse(e.uri)
		if err != nil || !slices.Contains([]string{"http", "https", "file"}, u.Scheme) {
			continue
		}
		path := strings.TrimRight(u.Path, "/")
		switch {
		case m.Main == "" && strings.HasSuffix(path, "/debian") && (e.suite == "bookworm" || e.suite == "trixie"):
			m.Main = e.uri
		case m.Security == "" && strings.HasSuffix(path, "/debian-security") && strings.HasSuffix(e.suite, "-security"):
			m.Security = e.uri
		}
	}
	if m.Main == "" {
		return Mirror{}, fmt.Errorf("no Debian mirror for bookworm or trixie in %s: set DEBIAN_MIRROR", etcApt)
	}
	return m, nil
}

// source is one address with one suite.
type source struct{ uri, suite string }

func readSources(etcApt string) ([]source, error) {
	files := []string{filepath.Join(etcApt, "sources.list")}
	for _, glob := range []string{"*.list", "*.sources"} {
		found, err := filepath.Glob(filepath.Join(etcApt, "sources.list.d", glob))
		if err != nil {
			return nil, err
		}
		files = append(files, found...)
	}
	var all []source
	for _, f := range files {
		data, err := os.ReadFile(f)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read apt sources: %w", err)
		}
		if strings.HasSuffix(f, ".sources") {
			// A broken file of the host's is apt's to report, not ours.
			if found, err := parseDeb822Sources(string(data)); err == nil {
				all = append(all, found...)
			}
			continue
		}
		all = append(all, parseListSources(string(data))...)
	}
	return all, nil
}

// parseListSources reads one-line entries: deb [options] uri suite components.
func parseListSources(text string) []source {
	var all []source
	for _, line := range strings.Split(text, "\n") {
		line, _, _ = strings.Cut(line, "#")
		rest, ok := strings.CutPrefix(strings.TrimSpace(line), "deb")
		if !ok || rest == "" || (rest[0] != ' ' && rest[0] != '\t' && rest[0] != '[') {
			continue
		}
		rest = strings.TrimSpace(rest)
		if strings.HasPrefix(rest, "[") {
			_, after, ok := strings.Cut(rest, "]")
			if !ok {
				continue
			}
			rest = after
		}
		f := strings.Fields(rest)
		if len(f) >= 2 {
			all = append(all, source{uri: f[0], suite: f[1]})
		}
	}
	return all
}

func parseDeb822Sources(text string) ([]source, error) {
	stanzas, err := parseStanzas(strings.NewReader(text))
	if err != nil {
		return nil, err
	}
	var all []source
	for _, s := range stanzas {
		if !slices.Contains(strings.Fields(s["types"]), "deb") || strings.EqualFold(s["enabled"], "no") {
			continue
		}
		for _, uri := range strings.Fields(s["uris"]) {
			for _, suite := range strings.Fields(s["suites"]) {
				all = append(all, source{uri: uri, suite: suite})
			}
		}
	}
	return all, nil
}
