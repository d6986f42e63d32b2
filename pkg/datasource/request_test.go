package datasource

import (
	"reflect"
	"strings"
	"testing"

	"github.com/testudo-os/testudo/pkg/cmdline"
)

func TestRequests(t *testing.T) {
	const kernel = "kernel argument "
	for _, test := range []struct {
		name, line, serial string
		want               Request
		problem            string
	}{
		{"nothing", "quiet ro", "0", Request{}, ""},
		{"none", "testudo.datasource=none", "", Request{From: kernel + "testudo.datasource", Off: true}, ""},
		{"names", "testudo.datasource=EC2,nocloud,ec2", "", Request{From: kernel + "testudo.datasource", Names: []string{"ec2", "nocloud"}}, ""},
		{"a URL", "testudo.datasource=https://a.example/x?y=1", "", Request{From: kernel + "testudo.datasource", Names: []string{"url"}, URL: "https://a.example/x?y=1"}, ""},
		{"the boot server", "testudo.datasource=tftp:///m.yaml", "", Request{From: kernel + "testudo.datasource", Names: []string{"url"}, URL: "tftp:///m.yaml"}, ""},
		{"cloud-init's line", `"ds=nocloud;s=http://10.0.2.2/seed/;h=tortoise;i=i-1"`, "",
			Request{From: kernel + "ds", Names: []string{"nocloud"}, Seed: Seed{From: "http://10.0.2.2/seed/", Hostname: "tortoise", InstanceID: "i-1"}}, ""},
		{"its older name", "ds=nocloud-net;seedfrom=https://h/", "", Request{From: kernel + "ds", Names: []string{"nocloud"}, Seed: Seed{From: "https://h/"}}, ""},
		{"a directory", "ds=nocloud;s=file:///opt/seed/", "", Request{From: kernel + "ds", Names: []string{"nocloud"}, Seed: Seed{From: "file:///opt/seed/"}}, ""},
		{"cloud-config-url", "cloud-config-url=http://h/c", "", Request{From: kernel + "cloud-config-url", Names: []string{"url"}, URL: "http://h/c"}, ""},
		{"the serial number", "quiet", "ds=nocloud;s=http://h/", Request{From: "serial number in SMBIOS", Names: []string{"nocloud"}, Seed: Seed{From: "http://h/"}}, ""},
		{"the command line counts before the serial number", "ds=ec2", "ds=nocloud;s=http://h/", Request{From: kernel + "ds", Names: []string{"ec2"}}, ""},
		{"a scheme that is none of ours", "testudo.datasource=gopher://h/x", "", Request{}, `scheme "gopher"`},
		{"no host", "testudo.datasource=http:///x", "", Request{}, "names no host"},
		{"none and some", "testudo.datasource=none,ec2", "", Request{}, "says none and names some"},
		{"empty", "testudo.datasource=", "", Request{}, "want names"},
		{"an unknown key", "ds=nocloud;x=1", "", Request{}, `unknown key "x"`},
		{"a bad argument does not hide the next", "testudo.datasource= ds=gce", "", Request{From: kernel + "ds", Names: []string{"gce"}}, "want names"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := &Facts{Cmdline: cmdline.Parse(test.line), DMI: DMI{ProductSerial: test.serial}}
			got, problems := Requests(f)
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("got  %+v\nwant %+v", got, test.want)
			}
			if all := strings.Join(problems, "\n"); (all == "") != (test.problem == "") || !strings.Contains(all, test.problem) {
				t.Errorf("problems: %q, want %q", all, test.problem)
			}
		})
	}
}

func FuzzRequests(f *testing.F) {
	f.Add("testudo.datasource=ec2,x ds=nocloud;s=http://h/;i=1", "ds=nocloud;s=%zz")
	f.Fuzz(func(t *testing.T, line, serial string) {
		r, _ := Requests(&Facts{Cmdline: cmdline.Parse(line), DMI: DMI{ProductSerial: serial}})
		if r.Off && len(r.Names) > 0 || r.URL != "" && len(r.Names) != 1 {
			t.Fatalf("got %+v", r)
		}
	})
}
