package jinja

import (
	"strings"
	"testing"

	"github.com/testudo-os/testudo/pkg/datasource"
)

var instance = &datasource.Data{
	Source: "ec2 (http://169.254.169.254)", Cloud: "ec2",
	Meta: datasource.Meta{InstanceID: "i-1", Hostname: "tortoise", Region: "eu-west-1", AvailabilityZone: "eu-west-1a", PublicKeys: []string{"ssh-ed25519 AAAA0 a", "ssh-ed25519 AAAA1 b"}},
	Raw:  []byte(`{"instance-type": "t3.micro", "placement": {"availability-zone": "eu-west-1a"}, "tags": {"role": "web"}, "list": ["x", "y"], "n": 3}`),
}

func TestRender(t *testing.T) {
	for _, test := range []struct{ name, text, want, problem string }{
		{"plain", "hostname: a\n", "hostname: a\n", ""},
		{"a variable of every cloud", "{{ v1.local_hostname }}.{{ v1.region }}", "tortoise.eu-west-1", ""},
		{"the same at the top", "{{ local_hostname }} {{ cloud_name }}", "tortoise ec2", ""},
		{"metadata of one cloud", "{{ ds.meta_data.tags.role }} {{ ds.meta_data['instance-type'] }}", "web t3.micro", ""},
		{"a name with operators", "{{ ds.meta_data.instance_type }} {{ ds.meta_data.placement.availability_zone }}", "t3.micro eu-west-1a", ""},
		{"if", "{% if v1.region == 'eu-west-1' %}\na: 1\n{% else %}\na: 2\n{% endif %}\n", "a: 1\n", ""},
		{"for", "{% for k in v1.public_ssh_keys %}\n- {{ k }}\n{% endfor %}\n", "- ssh-ed25519 AAAA0 a\n- ssh-ed25519 AAAA1 b\n", ""},
		{"set, and filters", "{% set x = v1.local_hostname | upper %}\n{{ x }} {{ ds.meta_data.list | join('-') }} {{ ds.meta_data.list | length }}", "TORTOISE x-y 2", ""},
		{"a default for what may be missing", "{{ ds.meta_data.tags.none | default('n/a') }}", "n/a", ""},
		{"is defined", "{% if ds.meta_data.none is defined %}yes{% else %}no{% endif %}", "no", ""},
		{"a comment", "a{# b #}c", "ac", ""},
		{"raw", "{% raw %}{{ x }}{% endraw %}", "{{ x }}", ""},

		{"an undefined variable", "a: {{ nothing }}\n", "", "user-data:"},
		{"an undefined key", "a: {{ v1.nothing }}\n", "", "nothing"},
		{"a syntax error", "a\n{% if %}\n", "", "template: "},
		{"a tag nobody knows", "{% launch %}", "", "template: "},
		{"an open tag", "{{ v1.region", "", "template: "},
		{"a file of the machine", "{% include '/etc/passwd' %}", "", "template: "},
		{"an import", "{% import '/etc/passwd' as p %}", "", "template: "},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := Render("user-data", test.text, datasource.Variables(instance))
			if test.problem != "" {
				if err == nil || !strings.Contains(err.Error(), test.problem) || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "root:") {
					t.Errorf("got %q, %v\nwant %s", got, err, test.problem)
				}
				t.Log(err)
				return
			}
			if err != nil || got != test.want {
				t.Errorf("got  %q, %v\nwant %q", got, err, test.want)
			}
		})
	}
}

func TestWhatComesOutIsBounded(t *testing.T) {
	if out, err := Render("user-data", "{% for a in range(100000) %}{% for b in range(1000) %}xxxxxxxxxxxxxxxx{% endfor %}{% endfor %}", nil); err == nil {
		t.Errorf("%d bytes", len(out))
	}
}

func FuzzRender(f *testing.F) {
	f.Add("{% for k in v1.public_ssh_keys %}{{ k | upper }}{% endfor %}{{ ds['meta_data'].n + 1 }}")
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "range") || strings.Contains(text, "*") {
			t.Skip("long work is not what is looked for")
		}
		_, _ = Render("user-data", text, datasource.Variables(instance))
	})
}
