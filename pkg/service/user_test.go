package service

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestServicesOfScopeUserAreHandedToDockerCompose(t *testing.T) {
	set := Load(Options{Lookup: vars, Profiles: []string{"on"}},
		files("/catalog", map[string]string{"base.yaml": "services: {web: {image: web, environment: {A: 1}, ports: ['8080:80']}}"}),
		files("/user", map[string]string{
			"app.yaml": `
volumes: {data: {}}
services:
  web: {environment: [B=$TAG, C=$$x], volumes: [data:/data], profiles: [on], ports: ['8443:443']}
  off: {image: i, ports: ['1:1'], profiles: [off]}
  sys: {image: i, volumes: [/a:/b]}
`,
			"all.yaml": "x-ros: {scope: user}\nservices: {db: {image: db, dns: 192.0.2.1}, own: {image: i, x-ros: {scope: system}}}\n",
		}))
	if len(set.Problems) > 0 {
		t.Fatal(set.Problems)
	}
	if got := set.names(); got != "own sys | off | " {
		t.Errorf("got %s", got)
	}
	got, err := set.Compose()
	if err != nil {
		t.Fatal(err)
	}
	want := `services:
    db:
        image: db
        dns: 192.0.2.1
    web:
        image: web
        environment:
            A: 1
            B: "1.2"
            C: $$x
        ports:
            - '8080:80'
            - '8443:443'
        volumes: ['data:/data']
volumes: {data: {}}
`
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if none, err := systemServices(t).Compose(); none != nil || err != nil {
		t.Errorf("got %s, %v", none, err)
	}
}

func TestWhatIsWrongWithServicesOfScopeUser(t *testing.T) {
	for text, want := range map[string]string{
		"services: {a: {image: i, ports: ['80:80']}, b: {image: i, ports: ['127.0.0.1:80:8080/tcp']}}":                       "/user/a.yaml:1:59: services.b.ports: port 80/tcp is published by a (/user/a.yaml:1) too",
		"services: {a: {image: i, ports: ['80:80/udp']}, b: {image: i, ports: [{target: 5, published: 80, protocol: udp}]}}": "port 80/udp is published by a",
		"services: {a: {image: i, ports: [80]}, b: {image: i, depends_on: [a]}}":                                             "services.b.depends_on.a: is of scope user: services of the OS cannot wait for it; b waits for it",
		"services: {a: {ports: [80]}}":                                                                                           "image is missing",
		"services: {a: {image: i, ports: [80], env_file: x}}":                                                                    "services.a.env_file: not supported: docker compose does not see the file",
		"services: {a: {image: i, ports: [80], volumes: ['./x:/y']}}":                                                            "services.a.volumes: ./x has no place",
		"services: {a: {image: i, ports: [80], volumes: ['/var/lib/x:/y']}}":                                                     "services.a.volumes: Docker does not see /var/lib/x",
		"services: {a: {image: i, ports: [80], volumes: [{type: bind, source: /x}]}}":                                            "services.a.volumes: Docker does not see /x",
		"services: {a: {image: i, ports: [80], depends_on: [b]}, b: {image: i}}":                                                 "services.a.depends_on.b: no service b of scope user runs",
		"services: {a: {image: i, ports: [80], depends_on: [b]}, b: {image: i, ports: [81], depends_on: {c: {required: true}}}}": "services.a.depends_on.b: no service b",
	} {
		docker := files("/sys", map[string]string{"docker.yaml": "services: {docker: {image: i, volumes: [/home:/home, /lib:/x]}}"})
		set := Load(Options{}, docker, files("/user", map[string]string{"a.yaml": text}))
		if got := fmt.Sprint(set.Problems); !strings.Contains(got, want) {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	fine := "services: {a: {image: i, ports: [80], volumes: ['/home/x:/y', /z, data:/d], depends_on: {b: {}, c: {required: false}}}, b: {image: i, ports: [81]}}"
	if set := Load(Options{}, files("/sys", map[string]string{"docker.yaml": "services: {docker: {image: i, volumes: [/home:/home]}}"}),
		files("/user", map[string]string{"a.yaml": fine})); len(set.Problems) > 0 || len(set.User) != 2 {
		t.Errorf("got %v", set.Problems)
	}
	for text, want := range map[string][]string{"['80', '80:80', '127.0.0.1:81:80', '[::1]:82:80/udp', '8000-8010:80-90']": {"80/tcp", "81/tcp", "82/udp", "8000-8010/tcp"}} {
		set := Load(Options{}, files("/user", map[string]string{"a.yaml": "services: {a: {image: i, ports: " + text + "}}"}))
		if got := published(set.User[0].compose.Content[3]); !slices.Equal(got, want) {
			t.Errorf("%s: got %q", text, got)
		}
	}
}
