package datasource

import (
	"reflect"
	"testing"
)

func TestParseMeta(t *testing.T) {
	keys := []string{"ssh-rsa AAAA1", "ssh-rsa AAAA2"}
	tests := []struct {
		name, text string
		want       Meta
	}{
		{"nothing", "", Meta{InstanceID: "nocloud"}},
		{"JSON with keys that are not ours", `{"instance-id": "i-1", "dsmode": "local", "x": [1]}`, Meta{InstanceID: "i-1"}},
		{"a number for an id", "instance-id: 0017", Meta{InstanceID: "0017"}},
		{"an id that climbs", "instance-id: ../../etc", Meta{InstanceID: SafeID("../../etc")}},
		{"keys in a list", "public-keys: [ssh-rsa AAAA1, ssh-rsa AAAA2]", Meta{InstanceID: "nocloud", PublicKeys: keys}},
		{"keys in lines", "public-keys: |\n  ssh-rsa AAAA1\n  ssh-rsa AAAA2\n", Meta{InstanceID: "nocloud", PublicKeys: keys}},
		{"keys by name", "public-keys: {a: ssh-rsa AAAA1, b: [ssh-rsa AAAA2]}", Meta{InstanceID: "nocloud", PublicKeys: keys}},
		{"keys as EC2 has them", "public-keys: {'0': {openssh-key: ssh-rsa AAAA1}}", Meta{InstanceID: "nocloud", PublicKeys: keys[:1]}},
		{"hostname where local-hostname is absent", "hostname: h", Meta{InstanceID: "nocloud", Hostname: "h"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseMeta("meta-data", []byte(tt.text))
			if err != nil || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %+v, %v; want %+v", got, err, tt.want)
			}
		})
	}
}

func FuzzParseMeta(f *testing.F) {
	f.Add([]byte("instance-id: a\npublic-keys: {a: [b], c: {openssh-key: d}}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		meta, _ := ParseMeta("meta-data", data)
		if !safe(meta.InstanceID) {
			t.Fatalf("instance id %q is not safe", meta.InstanceID)
		}
	})
}
