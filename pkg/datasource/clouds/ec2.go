package clouds

import (
	"context"
	"fmt"
	"net/http"
	"sort"
	"strings"

	"github.com/testudo-os/testudo/pkg/datasource"
	"github.com/testudo-os/testudo/pkg/datasource/web"
)

// EC2 is Amazon's instance metadata service, version 2 (a session token), and
// version 1 where the server has no tokens.
type EC2 struct {
	Bases []string // of servers that are the same
}

// Name is EC2's.
func (EC2) Name() string { return "ec2" }

// Detect looks for Amazon's name; a UUID that begins with ec2 counts on Xen
// only, where it is documented, since one in 4096 of all others does as well.
func (EC2) Detect(f *datasource.Facts) datasource.Match {
	d := f.DMI
	uuid := strings.ToLower(d.ProductUUID)
	switch {
	case strings.HasPrefix(strings.ToLower(f.Hypervisor), "ec2"):
		return network("the hypervisor's UUID begins with ec2")
	case strings.Contains(d.SysVendor, "Amazon EC2"), strings.Contains(d.BIOSVendor, "Amazon EC2"):
		return network("SMBIOS names Amazon EC2")
	case d.SysVendor == "Xen" && strings.HasPrefix(uuid, "ec2"):
		return network("a Xen machine whose UUID begins with ec2")
	case strings.HasSuffix(d.ProductSerial, ".brightbox.com"), strings.HasSuffix(d.ChassisAssetTag, ".zstack.io"),
		d.SysVendor == "e24cloud", d.SysVendor == "Tilaa", d.SysVendor == "3DS Outscale" && d.ProductName == "3DS Outscale VM":
		return network("SMBIOS names a cloud with EC2's metadata service: " + d.Product())
	}
	return missing("SMBIOS does not name Amazon EC2")
}

// Fetch opens a session and reads.
func (s EC2) Fetch(ctx context.Context, env *datasource.Env) (*datasource.Data, error) {
	bases := s.Bases
	if bases == nil {
		bases = []string{"http://169.254.169.254", "http://[fd00:ec2::254]"}
	}
	session, err := openIMDS(ctx, env.Web, bases)
	if err != nil {
		return nil, err
	}
	data, err := readIMDS(ctx, session.get, "latest", "ec2 ("+web.Plain(session.base)+")")
	if err != nil {
		return nil, err
	}
	return data, nil
}

const (
	tokenHeader = "X-aws-ec2-metadata-token"
	tokenTTL    = "X-aws-ec2-metadata-token-ttl-seconds"
	tokenLife   = "21600" // seconds: the most there is
)

// imds is a session with the service.
type imds struct {
	client *web.Client
	base   string
	token  string // "": version 1
}

// openIMDS asks for a token. A server that knows no such request (404, 405, as
// the clouds with an older service answer) is asked without one; any other
// refusal is final: 403 says that the service is switched off.
func openIMDS(ctx context.Context, client *web.Client, bases []string) (*imds, error) {
	var requests []web.Request
	for _, b := range bases {
		requests = append(requests, tokenRequest(b))
	}
	i, response, err := client.Any(ctx, requests...)
	s := &imds{client: client, base: bases[i], token: strings.TrimSpace(string(response.Body))}
	switch {
	case web.IsStatus(err, http.StatusNotFound, http.StatusMethodNotAllowed):
		s.token = ""
		return s, nil
	case web.IsStatus(err, http.StatusForbidden):
		return nil, fmt.Errorf("the instance metadata service is switched off: %w", err)
	case err != nil:
		return nil, err
	case s.token == "" || strings.ContainsAny(s.token, " \r\n<"):
		return nil, fmt.Errorf("%s: the answer is no token", web.Plain(bases[i]))
	}
	return s, nil
}

func tokenRequest(base string) web.Request {
	return web.Request{Method: http.MethodPut, URL: base + "/latest/api/token", Header: map[string]string{tokenTTL: tokenLife}}
}

// get reads one path. A token that has run out is replaced once.
func (s *imds) get(ctx context.Context, path string) ([]byte, error) {
	body, err := s.once(ctx, path)
	if s.token == "" || !web.IsStatus(err, http.StatusUnauthorized) {
		return body, err
	}
	response, err := s.client.Do(ctx, tokenRequest(s.base))
	if err != nil {
		return nil, fmt.Errorf("renew the token: %w", err)
	}
	s.token = strings.TrimSpace(string(response.Body))
	return s.once(ctx, path)
}

func (s *imds) once(ctx context.Context, path string) ([]byte, error) {
	header := map[string]string{}
	if s.token != "" {
		header[tokenHeader] = s.token
	}
	return s.client.Get(ctx, s.base+path, header)
}

// getter reads one path of a server.
type getter func(ctx context.Context, path string) ([]byte, error)

// optional is get where 404 is nothing.
func (get getter) optional(ctx context.Context, path string) (string, error) {
	body, err := get(ctx, path)
	if web.IsStatus(err, http.StatusNotFound) {
		return "", nil
	}
	return string(body), err
}

// readIMDS reads what EC2's metadata have, as other clouds offer them, too.
func readIMDS(ctx context.Context, get getter, version, name string) (*datasource.Data, error) {
	at := "/" + version + "/meta-data/"
	id, err := get(ctx, at+"instance-id")
	if err != nil {
		return nil, err
	}
	if !plainWord(string(id)) {
		return nil, fmt.Errorf("%sinstance-id is no instance id: %.40q", at, id)
	}
	data := &datasource.Data{Source: name}
	raw := map[string]any{"instance-id": strings.TrimSpace(string(id))}
	for _, key := range []string{
		"local-hostname", "local-ipv4", "public-hostname", "public-ipv4", "mac", "instance-type", "ami-id",
		"placement/availability-zone", "placement/region",
	} {
		value, err := get.optional(ctx, at+key)
		if err != nil {
			return nil, err
		}
		if value = strings.TrimSpace(value); value != "" {
			put(raw, key, value)
		}
	}
	t := tree{raw}
	data.Meta = meta(t.text("instance-id"), t.text("local-hostname"))
	data.Meta.AvailabilityZone = t.text("placement", "availability-zone")
	data.Meta.Region = t.text("placement", "region")
	if data.Meta.PublicKeys, err = imdsKeys(ctx, get, at+"public-keys/"); err != nil {
		return nil, err
	}
	user, err := get.optional(ctx, "/"+version+"/user-data")
	if err != nil {
		return nil, err
	}
	if user != "" {
		data.UserData = []byte(user)
	}
	data.Raw = t.raw()
	return data, nil
}

// imdsKeys reads the list "0=name" and then each key.
func imdsKeys(ctx context.Context, get getter, at string) ([]string, error) {
	list, err := get.optional(ctx, at)
	if err != nil {
		return nil, err
	}
	var indexes []string
	var keys []string
	for line := range strings.Lines(list) {
		line = strings.TrimSpace(line)
		index, _, named := strings.Cut(line, "=")
		switch {
		case named && plainWord(index):
			indexes = append(indexes, index)
		case strings.Contains(line, " "):
			keys = append(keys, line) // CloudStack gives the keys themselves
		}
	}
	sort.Strings(indexes)
	const most = 100
	for _, index := range indexes[:min(len(indexes), most)] {
		key, err := get.optional(ctx, at+index+"/openssh-key")
		if err != nil {
			return nil, err
		}
		keys = append(keys, tree{key}.lines()...)
	}
	return keys, nil
}

// put sets a/b=value as {a: {b: value}}.
func put(into map[string]any, path, value string) {
	head, rest, more := strings.Cut(path, "/")
	if !more {
		into[head] = value
		return
	}
	below, ok := into[head].(map[string]any)
	if !ok {
		below = map[string]any{}
		into[head] = below
	}
	put(below, rest, value)
}

// plainWord says whether s is one word: not a page of HTML, not nothing.
func plainWord(s string) bool {
	s = strings.TrimSpace(s)
	return s != "" && len(s) <= 256 && !strings.ContainsAny(s, " \t\r\n<>{}[]\"/\x00")
}

// network is the match of a source that needs the network, missing that of one
// that nothing speaks for.
func network(reason string) datasource.Match {
	return datasource.Match{Found: true, Reason: reason, Needs: datasource.Network}
}

func missing(reason string) datasource.Match {
	return datasource.Match{Reason: reason, Needs: datasource.Network}
}

// meta makes Meta of the two things that every source has.
func meta(id, hostname string) datasource.Meta {
	if id = strings.TrimSpace(id); id == "" {
		id = datasource.DefaultInstance
	}
	return datasource.Meta{InstanceID: datasource.SafeID(id), Hostname: strings.TrimSpace(hostname)}
}
