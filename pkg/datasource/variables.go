package datasource

import (
	"encoding/json"
	"strings"
)

// Variables are what templates of user data can name; they are cloud-init's: v1 with what every cloud has, its keys at the top
// as well, and ds.meta_data with all of the metadata. Names with - or . are
// there with _, too.
func Variables(d *Data) map[string]any {
	keys := make([]any, len(d.Meta.PublicKeys))
	for i, k := range d.Meta.PublicKeys {
		keys[i] = k
	}
	v1 := map[string]any{
		"cloud_name": d.Cloud, "cloud_id": d.Cloud, "platform": d.Cloud, "subplatform": d.Source,
		"instance_id": d.Meta.InstanceID, "local_hostname": d.Meta.Hostname,
		"region": d.Meta.Region, "availability_zone": d.Meta.AvailabilityZone, "public_ssh_keys": keys,
	}
	var raw any
	if len(d.Raw) > 0 && json.Unmarshal(d.Raw, &raw) != nil {
		raw = nil
	}
	metadata, ok := raw.(map[string]any)
	if !ok {
		metadata = map[string]any{}
	}
	variables := map[string]any{}
	for k, v := range v1 {
		variables[k] = v
	}
	variables["v1"] = v1
	variables["ds"] = map[string]any{"meta_data": metadata}
	return aliased(variables).(map[string]any)
}

// dotted makes a name that a template can write with dots of k.
func dotted(k string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, k)
}

// aliased adds to every mapping the names that a template can write with dots.
func aliased(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, inner := range v {
			inner = aliased(inner)
			out[k] = inner
			if alias := dotted(k); alias != k {
				if _, taken := v[alias]; !taken {
					out[alias] = inner
				}
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = aliased(v[i])
		}
		return out
	}
	return v
}
