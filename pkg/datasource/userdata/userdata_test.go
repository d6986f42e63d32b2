package userdata

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/testudo-os/testudo/pkg/datasource"
)

func zip(t testing.TB, s string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(s)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// web is what includes find.
var pages = map[string]string{
	"https://h/config": "#cloud-config\nhostname: included\n",
	"https://h/more":   "#include\nhttps://h/config\nhttps://h/script\n",
	"https://h/script": "#!/bin/sh\necho included\n",
	"https://h/loop":   "#include\nhttps://h/loop\n",
	"https://h/junk":   "<html>not found</html>",
	"https://h/tree":   "#include\nhttps://h/tree\nhttps://h/tree\n",
}

func options(t testing.TB) Options {
	return Options{
		Fetch: func(_ context.Context, url string) ([]byte, error) {
			page, ok := pages[url]
			if !ok {
				return nil, errors.New(url + ": 404 Not Found")
			}
			return []byte(page), nil
		},
		Render: func(_, text string) (string, error) {
			if strings.Contains(text, "{{ undefined }}") {
				return "", errors.New("undefined")
			}
			return strings.ReplaceAll(text, "{{ v1.local_hostname }}", "tortoise"), nil
		},
	}
}

// show writes parts one a line: kind, how often, name, text.
func show(parts []datasource.Part) string {
	var b strings.Builder
	for _, p := range parts {
		fmt.Fprintf(&b, "%s %s %s %q\n", p.Kind, p.When, p.Name, p.Text)
	}
	return b.String()
}

const multi = `Content-Type: multipart/mixed; boundary="===B=="
MIME-Version: 1.0
Number-Attachments: 4

--===B==
Content-Type: text/cloud-config; charset="utf-8"
MIME-Version: 1.0
Content-Transfer-Encoding: 7bit
Content-Disposition: attachment; filename="web.yaml"

hostname: one
--===B==
Content-Type: text/x-shellscript; charset="us-ascii"
Content-Transfer-Encoding: base64
Content-Disposition: attachment; filename="../../setup.sh"

IyEvYmluL3NoCmVjaG8gdHdvCg==
--===B==
Content-Type: text/x-shellscript-per-boot

#!/bin/sh
echo three
--===B==
Content-Type: multipart/mixed; boundary="inner"

--inner
Content-Type: text/plain
Content-Transfer-Encoding: quoted-printable

#cloud-config
timezone: UTC=20
--inner--
--===B==--
`

func TestParse(t *testing.T) {
	config, script := "#cloud-config\nhostname: a\n", "#!/bin/sh\necho a\n"
	for _, test := range []struct{ name, data, want, problem string }{
		{"nothing", "", "", ""},
		{"white space", "\n \n", "", ""},
		{"a configuration", config, `cloud-config  part-001 "#cloud-config\nhostname: a\n"`, ""},
		{"with a byte order mark and Windows' line ends", "\xef\xbb\xbf#cloud-config\r\nhostname: a\r\n", `cloud-config  part-001 "#cloud-config\r\nhostname: a\r\n"`, ""},
		{"a script", script, `script instance part-001 "#!/bin/sh\necho a\n"`, ""},
		{"a boot hook", "#cloud-boothook\n#!/bin/sh\necho a\n", `boothook  part-001 "#!/bin/sh\necho a\n"`, ""},
		{"gzip", zip(t, config), `cloud-config  part-001 "#cloud-config\nhostname: a\n"`, ""},
		{"gzip in base64", base64.StdEncoding.EncodeToString([]byte(zip(t, script))), `script instance part-001 "#!/bin/sh\necho a\n"`, ""},
		{"base64 with line breaks", "I2Nsb3VkLWNv\nbmZpZwpob3N0\nbmFtZTogYQo=\n", `cloud-config  part-001 "#cloud-config\nhostname: a\n"`, ""},
		{"many parts", multi, "cloud-config  web.yaml \"hostname: one\"\nscript instance setup.sh \"#!/bin/sh\\necho two\\n\"\nscript boot part-003 \"#!/bin/sh\\necho three\"\ncloud-config  part-004 \"#cloud-config\\ntimezone: UTC \"", ""},
		{"many parts, packed", zip(t, multi), "cloud-config  web.yaml \"hostname: one\"\nscript instance setup.sh \"#!/bin/sh\\necho two\\n\"\nscript boot part-003 \"#!/bin/sh\\necho three\"\ncloud-config  part-004 \"#cloud-config\\ntimezone: UTC \"", ""},
		{"an archive", "#cloud-config-archive\n- type: text/cloud-config\n  filename: a.yaml\n  content: |\n    hostname: a\n- |\n  #!/bin/sh\n  echo a\n- 'timezone: UTC'\n",
			"cloud-config  a.yaml \"hostname: a\\n\"\nscript instance part-002 \"#!/bin/sh\\necho a\\n\"\ncloud-config  part-003 \"timezone: UTC\"", ""},
		{"an include", "#include\n# a note\nhttps://h/config\n\nhttps://h/script\n", "cloud-config  part-001 \"#cloud-config\\nhostname: included\\n\"\nscript instance part-002 \"#!/bin/sh\\necho included\\n\"", ""},
		{"an include in its first line", "#include https://h/config", `cloud-config  part-001 "#cloud-config\nhostname: included\n"`, ""},
		{"an include of includes", "#include-once\nhttps://h/more\n", "cloud-config  part-001 \"#cloud-config\\nhostname: included\\n\"\nscript instance part-002 \"#!/bin/sh\\necho included\\n\"", ""},
		{"a template", "## template: jinja\n#cloud-config\nhostname: {{ v1.local_hostname }}\n", `cloud-config  part-001 "#cloud-config\nhostname: tortoise\n"`, ""},
		{"a template of a script", "## Template: jinja \n#!/bin/sh\necho {{ v1.local_hostname }}\n", `script instance part-001 "#!/bin/sh\necho tortoise\n"`, ""},

		{"plain text", "hello\nworld", "", `user-data:1:1: found "hello", want #cloud-config`},
		{"a word that begins alike", "#cloud-configuration\n", "", `found "#cloud-configuration"`},
		{"binary data", "\x00\x01\xff", "", "found binary data"},
		{"a part handler", "#part-handler\nimport os\n", "", "user-data:1:1: #part-handler is refused: it is a program for cloud-init itself"},
		{"a JSON patch", "#cloud-config-jsonp\n[]", "", "#cloud-config-jsonp is refused"},
		{"gzip that is cut off", zip(t, config)[:20], "", "user-data:1:1: gzip data that end too soon"},
		{"a gzip header and no more", "\x1f\x8b", "", "not gzip data"},
		{"a page that is no user data", "#include\n\nhttps://h/junk\n", "", "user-data, include https://h/junk:1:1: found \"<html>"},
		{"a page that is not there", "#include\n\nhttps://h/none?token=hush\n", "", "user-data:3:1: include: "},
		{"a scheme that is none of ours", "#include\nfile:///etc/shadow\n", "", `user-data:2:1: found "file:///etc/shadow", want a URL of https or http`},
		{"includes without end", "#include\nhttps://h/loop\n", "", "more than 6 deep"},
		{"more includes than anybody needs", "#include\nhttps://h/tree\nhttps://h/tree\n", "", "more than 32 includes"},
		{"a template that fails", "## template: jinja\n{{ undefined }}\n", "", "undefined"},
		{"a merge type", "MIME-Version: 1.0\nContent-Type: text/cloud-config\nMerge-Type: list(append)\n\nhostname: a\n", "", `the merge type "list(append)" is refused`},
		{"a type nobody knows", "MIME-Version: 1.0\nContent-Type: image/png\n\nx\n", "", `a part of type "image/png", which nothing here can use`},
		{"no boundary", "MIME-Version: 1.0\nContent-Type: multipart/mixed\n\nx\n", "", "without a boundary"},
		{"a character set", "MIME-Version: 1.0\nContent-Type: text/cloud-config; charset=utf-16\n\nx\n", "", `the character set "utf-16", want utf-8`},
		{"a script without its first line", "MIME-Version: 1.0\nContent-Type: text/x-shellscript\n\necho a\n", "", "a script must begin with #!"},
		{"an encoding that is none", "MIME-Version: 1.0\nContent-Type: text/cloud-config\nContent-Transfer-Encoding: uuencode\n\nx\n", "", `the transfer encoding "uuencode"`},
		{"an archive that is no list", "#cloud-config-archive\na: b\n", "", "user-data:2:1: "},
		{"a mistake in a part is told with the part", strings.Replace(multi, "IyEvYmluL3NoCmVjaG8gdHdvCg==", "!!!", 1), "", "user-data, part 2 (setup.sh):1:1: the part is not base64"},
		{"not UTF-8", "#cloud-config\nhostname: \xff\n", "", "not UTF-8"},
	} {
		t.Run(test.name, func(t *testing.T) {
			parts, err := Parse(t.Context(), "user-data", []byte(test.data), options(t))
			if test.problem != "" {
				if err == nil || !strings.Contains(err.Error(), test.problem) {
					t.Errorf("got %v, %s\nwant %s", err, show(parts), test.problem)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.TrimSpace(show(parts)); got != test.want {
				t.Errorf("got\n%s\nwant\n%s", got, test.want)
			}
		})
	}
}

func TestOriginsSayWhereAPartIsFrom(t *testing.T) {
	for data, want := range map[string]string{
		"#cloud-config\n":            "seed user-data",
		multi:                        "seed user-data, part 1 (web.yaml); seed user-data, part 2 (setup.sh); seed user-data, part 3; seed user-data, part 4, part 1",
		"#include\nhttps://h/more\n": "seed user-data, include https://h/more, include https://h/config; seed user-data, include https://h/more, include https://h/script",
		"#cloud-config-archive\n- 'a: b'\n- {content: 'a: b'}\n": "seed user-data, part 1 at line 2; seed user-data, part 2 at line 3",
	} {
		parts, err := Parse(t.Context(), "seed user-data", []byte(data), options(t))
		if err != nil {
			t.Error(err)
		}
		var got []string
		for _, p := range parts {
			got = append(got, p.Origin)
		}
		if s := strings.Join(got, "; "); s != want {
			t.Errorf("got  %s\nwant %s", s, want)
		}
	}
}

func TestBombs(t *testing.T) {
	bomb := zip(t, strings.Repeat("\x00", maxBytes+1))
	nested := "#cloud-config\n"
	for range 20 {
		nested = zip(t, nested)
	}
	many := strings.Replace(multi, "hostname: one", strings.Repeat("x", 100), 1)
	for i := range maxParts + 1 {
		many = strings.Replace(many, "--===B==--", fmt.Sprintf("--===B==\nContent-Type: text/cloud-config\n\na: %d\n--===B==--", i), 1)
	}
	for name, data := range map[string]string{
		"a gzip bomb": bomb, "gzip in gzip in gzip": nested, "more parts than anybody needs": many,
		"a gzip bomb in an archive": "#cloud-config-archive\n- type: application/gzip\n  content: !!binary " + base64.StdEncoding.EncodeToString([]byte(bomb)) + "\n",
		"YAML aliases of aliases":   "#cloud-config-archive\n- &a [x,x,x,x,x,x,x,x,x]\n- &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n- &c [*b,*b,*b,*b,*b,*b,*b,*b]\n- &d [*c,*c,*c,*c,*c,*c,*c,*c]\n",
	} {
		if parts, err := Parse(t.Context(), "user-data", []byte(data), options(t)); err == nil {
			t.Errorf("%s: %d parts", name, len(parts))
		}
	}
}

func TestWithoutANetworkIncludesWait(t *testing.T) {
	o := options(t)
	o.Fetch = nil
	if _, err := Parse(t.Context(), "user-data", []byte("#include\nhttps://h/config\n"), o); !errors.Is(err, ErrNeedsNetwork) {
		t.Errorf("got %v", err)
	}
}

func TestAFetchThatFailsEndsTheRest(t *testing.T) {
	asked := 0
	o := Options{Fetch: func(context.Context, string) ([]byte, error) {
		asked++
		return nil, errors.New("no route")
	}}
	_, err := Parse(t.Context(), "user-data", []byte("#include\nhttps://h/1\nhttps://h/2\nhttps://h/3\n"), o)
	if err == nil || asked != 1 {
		t.Errorf("asked %d times: %v", asked, err)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{multi, zip(f, multi), "#include\nhttps://h/more\n", "#cloud-config-archive\n- content: x\n", "I2Nsb3VkLWNvbmZpZwo=", "## template: jinja\n#!/bin/sh"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		parts, err := Parse(t.Context(), "user-data", data, options(t))
		if err != nil && len(parts) > 0 {
			t.Error("parts and an error")
		}
		names := map[string]bool{}
		total := 0
		for _, p := range parts {
			if names[p.Name] || p.Name == "" || strings.ContainsAny(p.Name, "/ \n\x00") || strings.HasPrefix(p.Name, ".") || len(p.Name) > 80 {
				t.Errorf("name %q", p.Name)
			}
			names[p.Name] = true
			if p.Kind == datasource.Script && p.When == "" || strings.ContainsAny(p.Origin, "\n\r") {
				t.Errorf("got %+v", p)
			}
			total += len(p.Text)
		}
		if total > 2*maxBytes || len(parts) > maxParts {
			t.Errorf("%d bytes in %d parts", total, len(parts))
		}
	})
}
