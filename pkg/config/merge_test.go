package config

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

func mustParse(t *testing.T, text string) *Config {
	t.Helper()
	cfg, err := Parse("f", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func TestMerge(t *testing.T) {
	tests := []struct {
		name    string
		sources []string
		want    string
	}{
		{"a later value wins", []string{"hostname: a\ntimezone: UTC", "hostname: b"}, "hostname: b\ntimezone: UTC"},
		{"keys add up without doubles", []string{"ssh_authorized_keys: [ssh-rsa AAAA1, ssh-rsa AAAA2]", "ssh_authorized_keys: [ssh-rsa AAAA2, ssh-rsa AAAA3]"},
			"ssh_authorized_keys: [ssh-rsa AAAA1, ssh-rsa AAAA2, ssh-rsa AAAA3]"},
		{"files and commands add up in order", []string{"write_files: [{path: /a}]\nruncmd: [a]", "write_files: [{path: /a}]\nruncmd: [b]"},
			"write_files: [{path: /a}, {path: /a}]\nruncmd: [a, b]"},
		{"users are merged by name", []string{"users: [default, {name: ann, shell: /bin/sh, ssh_authorized_keys: [ssh-rsa AAAA1]}]", "users: [{name: ann, uid: 5000, ssh_authorized_keys: [ssh-rsa AAAA2]}, {name: bob}]"},
			"users: [default, {name: ann, shell: /bin/sh, uid: 5000, ssh_authorized_keys: [ssh-rsa AAAA1, ssh-rsa AAAA2]}, {name: bob}]"},
		{"other lists replace", []string{"ntp: {servers: [a, b]}", "ntp: {servers: [c]}"}, "ntp: {servers: [c]}"},
		{"an empty list clears", []string{"ntp: {servers: [a, b]}", "ntp: {servers: []}"}, "ntp: {servers: []}"},
		{"false wins over true", []string{"ntp: {enabled: true}", "ntp: {enabled: false}"}, "ntp: {enabled: false}"},
		{"a service disabled and later enabled is enabled", []string{"testudo: {services: {disable: [docker, ntp]}}", "testudo: {services: {enable: [docker]}}"},
			"testudo: {services: {disable: [ntp], enable: [docker]}}"},
		{"a service enabled and later disabled is disabled", []string{"testudo: {services: {enable: [docker]}}", "testudo: {services: {disable: [docker]}}"},
			"testudo: {services: {disable: [docker], enable: []}}"},
		{"profiles and declared services add up, variables are merged", []string{"testudo: {services: {profiles: [a], variables: {A: x, B: y}, declare: {web: {image: i}}}}", "testudo: {services: {profiles: [b, a], variables: {B: z}, declare: {web: {mem_limit: 1m}}}}"},
			"testudo: {services: {profiles: [a, b], variables: {A: x, B: z}, declare: [{web: {image: i}}, {web: {mem_limit: 1m}}]}}"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var sources []*Config
			for _, s := range tt.sources {
				sources = append(sources, mustParse(t, s))
			}
			before := string(mustJSON(t, sources))
			got := string(mustJSON(t, Merge(sources...)))
			if want := string(mustJSON(t, mustParse(t, tt.want))); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			if after := string(mustJSON(t, sources)); after != before {
				t.Errorf("a source was changed: %s", after)
			}
		})
	}
}

// A key that Merge forgets would be silently ignored, so every field is set by
// reflection and has to arrive.
func TestMergeForgetsNoField(t *testing.T) {
	cfg := &Config{}
	fill(reflect.ValueOf(cfg).Elem())
	if got := Merge(cfg); !reflect.DeepEqual(got, cfg) {
		t.Errorf("got  %s\nwant %s", mustJSON(t, got), mustJSON(t, cfg))
	}
	user := &Config{Users: []User{cfg.Users[0]}}
	bare := &Config{Users: []User{{Default: user.Users[0].Default, Name: user.Users[0].Name}}}
	if got := Merge(bare, user); !reflect.DeepEqual(got, user) {
		t.Errorf("merged user: got  %s\nwant %s", mustJSON(t, got), mustJSON(t, user))
	}
}

func fill(v reflect.Value) {
	if !v.CanSet() {
		return // of an address, which has no say in merging
	}
	if l, ok := v.Addr().Interface().(*Declarations); ok {
		*l = Declarations{{File: "f", Node: &yaml.Node{Kind: yaml.MappingNode}}} // nodes hold nodes
		return
	}
	switch v.Kind() {
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		value := reflect.New(v.Type().Elem()).Elem()
		fill(value)
		v.SetMapIndex(reflect.ValueOf("key"), value)
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.String:
		v.SetString(v.Type().Name() + fmt.Sprint(v.Addr().Pointer()&0xffff))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int:
		v.SetInt(7)
	}
}

func TestSecretsDoNotShow(t *testing.T) {
	const secret = "TOPSECRET"
	cfg := mustParse(t, "users: [{name: a, passwd: $6$x$"+secret+"}]\nwrite_files: [{path: /k, permissions: '0600', content: "+secret+"}, {path: /g, permissions: '0640', content: "+secret+"}, {path: /p, content: plain}]\ntestudo: {services: {variables: {A: "+secret+"}}}\n")
	exported, err := cfg.Export()
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"export": string(exported), "String": cfg.String(), "%v": fmt.Sprintf("%v", *cfg), "%+v": fmt.Sprintf("%+v", cfg.Users), "%#v": fmt.Sprintf("%#v", cfg.Users[0]),
	} {
		if strings.Contains(text, secret) {
			t.Errorf("%s shows the secret: %s", name, text)
		}
	}
	if !strings.Contains(string(exported), "plain") {
		t.Errorf("what is no secret is hidden:\n%s", exported)
	}
	if string(cfg.Users[0].Passwd) != "$6$x$"+secret {
		t.Error("hiding changed the configuration itself")
	}
}

func TestExportIsCloudConfig(t *testing.T) {
	got, err := mustParse(t, "hostname: a\nusers: [default, {name: b, sudo: ALL=ALL}]\nruncmd: [x, [y, z]]\nwrite_files: [{path: /a, permissions: '0600'}]").Export()
	if err != nil {
		t.Fatal(err)
	}
	want := `#cloud-config
hostname: a
users:
    - default
    - name: b
      sudo:
        - ALL=ALL
write_files:
    - path: /a
      permissions: "0600"
runcmd:
    - x
    - - y
      - z
`
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if _, err := ParseUserData("export", got); err != nil {
		t.Errorf("the export is not read back: %v", err)
	}
}

func TestBuiltinHoldsTheDefaultUser(t *testing.T) {
	cfg, err := Builtin()
	if err != nil {
		t.Fatal(err)
	}
	if len(cfg.Users) != 1 || !cfg.Users[0].Default {
		t.Errorf("got %+v", cfg.Users)
	}
	u := DefaultUser()
	if findings := Validate(&Config{Users: []User{u}}); len(findings) > 0 {
		t.Errorf("the default user is invalid: %v", findings)
	}
}
