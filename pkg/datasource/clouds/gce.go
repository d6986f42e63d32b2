package clouds

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/testudo-os/testudo/pkg/datasource"
	"github.com/testudo-os/testudo/pkg/datasource/web"
)

// GCE is Google Compute Engine's metadata server.
type GCE struct {
	Base        string
	DefaultUser string           // keys of this user, and of "cloudinit", are ours
	Now         func() time.Time // for keys that expire
}

// Name is GCE's.
func (GCE) Name() string { return "gce" }

// Detect looks for Google's product name or serial number.
func (GCE) Detect(f *datasource.Facts) datasource.Match {
	switch {
	case f.DMI.ProductName == "Google Compute Engine", f.DMI.ProductName == "Google":
		return network("SMBIOS names " + f.DMI.ProductName)
	case strings.HasPrefix(f.DMI.ProductSerial, "GoogleCloud-"):
		return network("the serial number begins with GoogleCloud-")
	}
	return missing("SMBIOS does not name Google Compute Engine")
}

// Fetch reads everything in one request. The address is that of
// metadata.google.internal, which needs no name service.
func (s GCE) Fetch(ctx context.Context, env *datasource.Env) (*datasource.Data, error) {
	base := s.Base
	if base == "" {
		base = "http://169.254.169.254"
	}
	const flavor = "Metadata-Flavor"
	response, err := env.Web.Do(ctx, web.Request{
		URL: base + "/computeMetadata/v1/?recursive=true&alt=json", Header: map[string]string{flavor: "Google"},
	})
	if err != nil {
		return nil, err
	}
	if response.Header.Get(flavor) != "Google" {
		return nil, fmt.Errorf("%s is not Google's metadata server: it does not answer with %s: Google", base, flavor)
	}
	t, err := parseObject("the metadata server's answer", response.Body)
	if err != nil {
		return nil, err
	}
	instance := t.at("instance")
	id := instance.text("id")
	if id == "" {
		return nil, errors.New("the metadata have no instance.id")
	}
	// Google's full names are too long for a host name.
	name, _, _ := strings.Cut(instance.text("hostname"), ".")
	data := &datasource.Data{Source: "gce (" + base + ")", Meta: meta(id, name)}
	data.Meta.AvailabilityZone = path.Base("/" + instance.text("zone"))
	if zone := data.Meta.AvailabilityZone; strings.Count(zone, "-") == 2 {
		data.Meta.Region = zone[:strings.LastIndex(zone, "-")]
	}
	data.Meta.PublicKeys = s.keys(instance.at("attributes"), t.at("project", "attributes"))
	if data.UserData, err = gceUserData(instance.at("attributes")); err != nil {
		return nil, err
	}
	data.Raw = t.raw()
	return data, nil
}

func gceUserData(attributes tree) ([]byte, error) {
	text := attributes.text("user-data")
	switch encoding := attributes.text("user-data-encoding"); {
	case text == "":
		return nil, nil
	case encoding == "base64":
		return decodeBase64("user-data", text)
	case encoding != "":
		return nil, fmt.Errorf("user-data-encoding is %q, want base64 or none", encoding)
	}
	return []byte(text), nil
}

// keys are lines USER:KEY of the instance and, unless it forbids that, of the
// project. Keys of other users are for Google's own agent.
func (s GCE) keys(instance, project tree) []string {
	lines := append(instance.lines("sshKeys"), instance.lines("ssh-keys")...)
	if !strings.EqualFold(instance.text("block-project-ssh-keys"), "true") && instance.text("sshKeys") == "" {
		lines = append(append(lines, project.lines("ssh-keys")...), project.lines("sshKeys")...)
	}
	var keys []string
	for _, line := range lines {
		user, key, ok := strings.Cut(line, ":")
		if ok && (user == "cloudinit" || user == s.DefaultUser) && !s.expired(key) {
			keys = append(keys, strings.TrimSpace(key))
		}
	}
	return keys
}

// expired reads Google's comment: TYPE KEY google-ssh {"expireOn": "..."}.
func (s GCE) expired(key string) bool {
	fields := strings.SplitN(key, " ", 4)
	if len(fields) < 4 || fields[2] != "google-ssh" {
		return false
	}
	var comment struct {
		ExpireOn string `json:"expireOn"`
	}
	if json.Unmarshal([]byte(fields[3]), &comment) != nil || comment.ExpireOn == "" {
		return false
	}
	for _, layout := range []string{"2006-01-02T15:04:05-0700", time.RFC3339} {
		if end, err := time.Parse(layout, comment.ExpireOn); err == nil {
			now := time.Now
			if s.Now != nil {
				now = s.Now
			}
			return now().After(end)
		}
	}
	return false
}
