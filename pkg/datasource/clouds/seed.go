package clouds

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"strings"

	"github.com/testudo-os/testudo/pkg/datasource"
	"github.com/testudo-os/testudo/pkg/datasource/tftp"
	"github.com/testudo-os/testudo/pkg/datasource/web"
	"github.com/testudo-os/testudo/pkg/regularfile"
)

// maxFile bounds each file of a seed.
const maxFile = 4 << 20

// opener gives one file of a seed; errors match fs.ErrNotExist where there is
// none.
type opener func(ctx context.Context, name string) ([]byte, error)

// readSeed reads the files of a NoCloud seed. A missing file is as an empty
// one; with neither user-data nor meta-data it is no seed.
func readSeed(ctx context.Context, name string, open opener) (*datasource.Data, error) {
	data := &datasource.Data{Source: name}
	var metadata []byte
	var errs []error
	present := 0
	for _, f := range []struct {
		name string
		into *[]byte
	}{
		{"user-data", &data.UserData},
		{"meta-data", &metadata},
		{"vendor-data", &data.VendorData},
		{"network-config", &data.NetworkConfig},
	} {
		content, err := open(ctx, f.name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			errs = append(errs, fmt.Errorf("read %s: %w", f.name, err))
		default:
			*f.into = content
			if f.into == &data.UserData || f.into == &metadata {
				present++
			}
		}
	}
	if present == 0 {
		if len(errs) == 0 {
			return nil, datasource.ErrNone
		}
		return nil, errors.Join(errs...)
	}
	var err error
	if data.Meta, err = datasource.ParseMeta(name+" meta-data", metadata); err != nil {
		errs = append(errs, err)
	}
	if t, err := parseYAML("meta-data", metadata); err == nil {
		data.Raw = t.raw()
	}
	data.Partial = len(errs) > 0
	return data, errors.Join(errs...)
}

// directory opens files of a directory. No symbolic link leads out of it.
func directory(path string) opener {
	return func(_ context.Context, name string) ([]byte, error) {
		root, err := os.OpenRoot(path)
		if err != nil {
			return nil, err
		}
		defer root.Close()
		f, err := root.OpenFile(name, regularfile.OpenFlags, 0)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return regularfile.From(f, maxFile)
	}
}

// server opens files below a URL of http, https or tftp.
func server(env *datasource.Env, base string) opener {
	return func(ctx context.Context, name string) ([]byte, error) {
		target := base + name
		if strings.Contains(base, "%s") {
			target = strings.Replace(base, "%s", name, 1)
		}
		return load(ctx, env, target)
	}
}

// load fetches one URL, as patiently as the context allows.
func load(ctx context.Context, env *datasource.Env, target string) ([]byte, error) {
	u, err := url.Parse(target)
	if err != nil {
		return nil, fmt.Errorf("%q is not a URL", target)
	}
	switch u.Scheme {
	case "http", "https":
		r, err := env.Web.Do(ctx, web.Request{URL: target, Follow: true})
		if web.IsStatus(err, 404, 410) {
			return nil, fmt.Errorf("%w (%w)", fs.ErrNotExist, err)
		}
		return r.Body, err
	case "file":
		return regularfile.Read(u.Path, maxFile)
	case "tftp":
		return loadTFTP(ctx, env, u)
	}
	return nil, fmt.Errorf("scheme %q: want http, https, tftp or file", u.Scheme)
}

// loadTFTP asks the server in the URL, or the boot server that DHCP names.
func loadTFTP(ctx context.Context, env *datasource.Env, u *url.URL) ([]byte, error) {
	host := u.Host
	if host == "" {
		servers, err := leased(ctx, env, func(l datasource.Lease) string {
			if l.Next != "" {
				return l.Next
			}
			return l.Server
		})
		if err != nil {
			return nil, err
		}
		host = strings.TrimPrefix(servers[0], "http://")
	}
	content, err := tftp.Get(ctx, host, strings.TrimPrefix(u.Path, "/"), maxFile)
	if errors.Is(err, tftp.ErrNotFound) {
		return nil, fmt.Errorf("%w (%w)", fs.ErrNotExist, err)
	}
	return content, err
}
