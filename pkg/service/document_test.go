package service

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

func one(t *testing.T, body string) Service {
	t.Helper()
	f, err := ParseFile("/d/f.yaml", []byte("services:\n  a:\n    image: i\n"+indent(body)), vars)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range f.Invalid {
		t.Fatal(i.Err)
	}
	for _, p := range f.Problems {
		t.Fatal(p)
	}
	s := f.Services[0]
	s.Layers, s.Origins = nil, nil // TestEachKeyKnowsItsPlace
	return s
}

func indent(body string) string {
	var b strings.Builder
	for _, line := range strings.Split(strings.Trim(body, "\n"), "\n") {
		b.WriteString("    " + line + "\n")
	}
	return b.String()
}

func vars(name string) (string, bool) {
	v, ok := map[string]string{"TAG": "1.2", "EMPTY": "", "N": "5"}[name]
	return v, ok
}

func TestDefaults(t *testing.T) {
	want := Service{Name: "a", Source: "/d/f.yaml:2", Image: "i", NetworkMode: "none", StopGracePeriod: 10 * time.Second,
		Restart: Restart{Policy: "no"}, Ready: ReadyStarted, Scope: "system", Priority: DefaultPriority}
	if got := one(t, ""); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// goodBodies are services in all forms that keys have, with what they say.
func goodBodies() map[string]func(*Service) {
	return map[string]func(*Service){
		`command: sh -c "a b" 'c$$d' e\ f`:            func(s *Service) { s.Command = []string{"sh", "-c", "a b", "c$d", "e f"} },
		`command: [sh, -c, 5, true]`:                  func(s *Service) { s.Command = []string{"sh", "-c", "5", "true"} },
		`command: []`:                                 func(s *Service) { s.Command = []string{} },
		`command:`:                                    func(s *Service) {},
		`entrypoint: /x`:                              func(s *Service) { s.Entrypoint = []string{"/x"} },
		"environment: [B=2, A=1=1]":                   func(s *Service) { s.Environment = []string{"A=1=1", "B=2"} },
		"environment: {B: 2, A: x, C: true}":          func(s *Service) { s.Environment = []string{"A=x", "B=2", "C=true"} },
		"env_file: ./x.env":                           func(s *Service) { s.EnvFiles = []EnvFile{{"/d/x.env", true}} },
		"env_file: [/a, {path: /b, required: false}]": func(s *Service) { s.EnvFiles = []EnvFile{{"/a", true}, {"/b", false}} },
		"working_dir: /x/":                            func(s *Service) { s.WorkingDir = "/x" },
		"user: 1000:1000":                             func(s *Service) { s.User = "1000:1000" },
		"user: 1000":                                  func(s *Service) { s.User = "1000" },
		"group_add: [27, adm]":                        func(s *Service) { s.GroupAdd = []string{"27", "adm"} },
		"volumes: [/a:/b]": func(s *Service) {
			s.Volumes = []Volume{{Source: "/a", Target: "/b", CreateHostPath: true, Recursive: true}}
		},
		"volumes: ['./a/:/b:ro,rslave,noexec']": func(s *Service) {
			s.Volumes = []Volume{{Source: "/d/a", Target: "/b", ReadOnly: true, Propagation: "rslave", NoExec: true, CreateHostPath: true, Recursive: true}}
		},
		"volumes: [/a:/b:shared]": func(s *Service) {
			s.Volumes = []Volume{{Source: "/a", Target: "/b", Propagation: "rshared", CreateHostPath: true, Recursive: true}}
		},
		"volumes: [{type: bind, source: /a, target: /b}]": func(s *Service) { s.Volumes = []Volume{{Source: "/a", Target: "/b", Recursive: true}} },
		"volumes: [{type: bind, source: /a, target: /b, read_only: true, bind: {propagation: rshared, create_host_path: true, recursive: disabled}}]": func(s *Service) {
			s.Volumes = []Volume{{Source: "/a", Target: "/b", ReadOnly: true, Propagation: "rshared", CreateHostPath: true}}
		},
		"volumes: [{type: tmpfs, target: /b, tmpfs: {size: 1m, mode: 0750}}]": func(s *Service) { s.Tmpfs = []Tmpfs{{Target: "/b", Size: 1 << 20, Mode: 0o750}} },
		"tmpfs: /run": func(s *Service) { s.Tmpfs = []Tmpfs{{Target: "/run"}} },
		"tmpfs: ['/run:size=64m,mode=1777', /tmp]":      func(s *Service) { s.Tmpfs = []Tmpfs{{"/run", 64 << 20, 0o1777}, {Target: "/tmp"}} },
		"network_mode: host":                            func(s *Service) { s.NetworkMode = "host" },
		"pid: host\nipc: host\nuts: host\ncgroup: host": func(s *Service) { s.Pid, s.Ipc, s.Uts, s.Cgroup = "host", "host", "host", "host" },
		"ipc: private":                                  func(s *Service) {},
		"privileged: true":                              func(s *Service) { s.Privileged = true },
		"cap_drop: [all]\ncap_add: [net_admin, CAP_SYS_TIME, NET_ADMIN]": func(s *Service) {
			s.CapDrop, s.CapAdd = []string{"ALL"}, []string{"CAP_NET_ADMIN", "CAP_SYS_TIME"}
		},
		"devices: [/dev/a, '/dev/b:/dev/c', '/dev/d:/dev/e:r', '/dev/f:rw', {source: /dev/g, target: /dev/h, permissions: w}]": func(s *Service) {
			s.Devices = []Device{{"/dev/a", "/dev/a", "rwm"}, {"/dev/b", "/dev/c", "rwm"}, {"/dev/d", "/dev/e", "r"}, {"/dev/f", "/dev/f", "rw"}, {"/dev/g", "/dev/h", "w"}}
		},
		"device_cgroup_rules: ['c 13:* r']":                              func(s *Service) { s.DeviceCgroup = []string{"c 13:* r"} },
		"read_only: true":                                                func(s *Service) { s.ReadOnly = true },
		"security_opt: [no-new-privileges]":                              func(s *Service) { s.SecurityOpt.NoNewPrivileges = true },
		"security_opt: ['no-new-privileges:true', 'seccomp=unconfined']": func(s *Service) { s.SecurityOpt = SecurityOpt{true, "unconfined"} },
		"sysctls: {kernel.msgmax: 1}":                                    func(s *Service) { s.Sysctls = map[string]string{"kernel.msgmax": "1"} },
		"sysctls: [kernel.msgmax=1]":                                     func(s *Service) { s.Sysctls = map[string]string{"kernel.msgmax": "1"} },
		"ulimits: {nofile: {soft: 1, hard: 2}, nproc: 3, memlock: -1}": func(s *Service) {
			s.Ulimits = map[string]Ulimit{"nofile": {1, 2}, "nproc": {3, 3}, "memlock": {-1, -1}}
		},
		"cpus: 0.5":           func(s *Service) { s.CPUs = 0.5 },
		"cpus: '1.5'":         func(s *Service) { s.CPUs = 1.5 },
		"mem_limit: 512m":     func(s *Service) { s.MemLimit = 512 << 20 },
		"mem_limit: 1.5gb":    func(s *Service) { s.MemLimit = 3 << 29 },
		"mem_limit: 1048576":  func(s *Service) { s.MemLimit = 1 << 20 },
		"pids_limit: 10":      func(s *Service) { s.PidsLimit = 10 },
		"pids_limit: -1":      func(s *Service) {},
		"oom_score_adj: -500": func(s *Service) { s.OOMScoreAdj = -500 },
		"init: true\ntty: true\nstdin_open: true": func(s *Service) { s.Init, s.TTY, s.StdinOpen = true, true, true },
		"stop_signal: sigint":                     func(s *Service) { s.StopSignal = "SIGINT" },
		"stop_signal: TERM":                       func(s *Service) { s.StopSignal = "SIGTERM" },
		"stop_signal: SIGRTMIN+3":                 func(s *Service) { s.StopSignal = "37" },
		"stop_signal: 10":                         func(s *Service) { s.StopSignal = "10" },
		"stop_grace_period: 1m30s":                func(s *Service) { s.StopGracePeriod = 90 * time.Second },
		"restart: no":                             func(s *Service) {},
		"restart: 'no'":                           func(s *Service) {},
		"restart: on-failure:3":                   func(s *Service) { s.Restart = Restart{"on-failure", 3} },
		"restart: unless-stopped":                 func(s *Service) { s.Restart = Restart{Policy: "unless-stopped"} },
		"depends_on: [z, b]": func(s *Service) {
			s.DependsOn = []Dependency{{"b", ReadyCondition, true, false}, {"z", ReadyCondition, true, false}}
		},
		"depends_on: {b: {condition: service_healthy, required: false, restart: true}, c: {}}": func(s *Service) {
			s.DependsOn = []Dependency{{"b", Healthy, false, true}, {"c", ReadyCondition, true, false}}
		},
		"healthcheck: {test: curl x, interval: 5s, retries: 2}": func(s *Service) {
			s.Ready = ReadyHealthy
			s.Healthcheck = &Healthcheck{Test: []string{"CMD-SHELL", "curl x"}, Interval: 5 * time.Second, Timeout: 30 * time.Second, StartInterval: 5 * time.Second, Retries: 2}
		},
		"healthcheck: {test: [CMD, /x, y], start_period: 1m, timeout: 1s, start_interval: 1s}\nx-ros: {ready: notify}": func(s *Service) {
			s.Ready = ReadyNotify
			s.Healthcheck = &Healthcheck{Test: []string{"CMD", "/x", "y"}, Interval: 30 * time.Second, Timeout: time.Second, StartPeriod: time.Minute, StartInterval: time.Second, Retries: 3}
		},
		"healthcheck: {test: [NONE]}":        func(s *Service) {},
		"healthcheck: {disable: true}":       func(s *Service) {},
		"labels: {a: 1}":                     func(s *Service) { s.Labels = map[string]string{"a": "1"} },
		"labels: [a=1, b]":                   func(s *Service) { s.Labels = map[string]string{"a": "1", "b": ""} },
		"annotations: {a: 1}":                func(s *Service) { s.Annotations = map[string]string{"a": "1"} },
		"hostname: web.lan":                  func(s *Service) { s.Hostname = "web.lan" },
		"shm_size: 1g":                       func(s *Service) { s.ShmSize = 1 << 30 },
		"cpuset: '0-2,5'":                    func(s *Service) { s.Cpuset = "0-2,5" },
		"cpuset: 0":                          func(s *Service) { s.Cpuset = "0" },
		"cpu_shares: 512":                    func(s *Service) { s.CPUShares = 512 },
		"cpu_quota: 50000":                   func(s *Service) { s.CPUQuota = 50000 },
		"logging: {driver: local}":           func(s *Service) {},
		"x-team: anything":                   func(s *Service) {},
		"cpu_quota: 5000\ncpu_period: 10000": func(s *Service) { s.CPUQuota, s.CPUPeriod = 5000, 10000 },
		"mem_limit: 2m\nmem_reservation: 1m\nmemswap_limit: 4m": func(s *Service) { s.MemLimit, s.MemReservation, s.MemswapLimit = 2<<20, 1<<20, 4<<20 },
		"mem_limit: 2m\nmemswap_limit: -1":                      func(s *Service) { s.MemLimit, s.MemswapLimit = 2<<20, -1 },
		"profiles: [y, x]":                                      func(s *Service) { s.Profiles = []string{"x", "y"} },
		"pull_policy: never":                                    func(s *Service) { s.Pull.When = PullNever },
		"pull_policy: every_1d12h":                              func(s *Service) { s.Pull = Pull{PullEvery, 36 * time.Hour} },
		"userns_mode: auto":                                     func(s *Service) { s.Userns = true },
		"logging: {options: {max-size: 10m, max-file: '3'}}":    func(s *Service) { s.LogSize = 30 << 20 },
		"logging: {driver: local, options: [max-size=1m]}":      func(s *Service) { s.LogSize = 5 << 20 },
		"x-ros: {essential: true, ready: exit, scope: system, persistent: true, priority: -3}": func(s *Service) {
			s.Essential, s.Ready, s.Persistent, s.Priority = true, ReadyExit, true, -3
		},
		"environment: {A: '${TAG}', B: '${NOPE:-x}', C: $$, D: '${EMPTY-y}', E: '${EMPTY:+z}', F: 'v$TAG.'}": func(s *Service) {
			s.Environment = []string{"A=1.2", "B=x", "C=$", "D=", "E=", "F=v1.2."}
		},
		"pids_limit: ${N}": func(s *Service) { s.PidsLimit = 5 },
	}
}

func TestKeysInShortAndLongForms(t *testing.T) {
	for body, want := range goodBodies() {
		t.Run(body, func(t *testing.T) {
			expected := Service{Name: "a", Source: "/d/f.yaml:2", Image: "i", NetworkMode: "none", StopGracePeriod: 10 * time.Second,
				Restart: Restart{Policy: "no"}, Ready: ReadyStarted, Scope: "system", Priority: DefaultPriority}
			want(&expected)
			if got := one(t, body); !reflect.DeepEqual(got, expected) {
				t.Errorf("got  %+v\nwant %+v", got, expected)
			}
		})
	}
}

// badBodies are services with something wrong, and what is said of it.
func badBodies() map[string]string {
	return map[string]string{
		"imgae: x":                                   `/d/f.yaml:4:5: services.a.imgae: unknown key (did you mean "image"?)`,
		"ports: [80:80]\nx-ros: {scope: system}":     "/d/f.yaml:4:5: services.a.ports: not supported: a service of the OS has the host's network",
		"networks: [x]\nx-ros: {scope: system}":      "not supported: a service of the OS",
		"secrets: [x]":                               "/d/f.yaml:4:5: services.a: secrets: x is not declared: write `secrets: {x: {file: ./FILE}}`",
		"configs: [{target: /x}]":                    "/d/f.yaml:4:15: services.a.configs: source is missing",
		"configs: [{source: x, mode: 0440}]":         "services.a.configs[0].mode: not supported: the file is bound as it is",
		"build: .":                                   "the OS runs images",
		"logging: {driver: syslog}":                  `services.a.logging.driver: found "syslog", want local`,
		"logging: {options: {tag: x}}":               "tag is not supported",
		"deploy: {replicas: 2}":                      "/d/f.yaml:4:14: services.a.deploy.replicas: not supported: each service runs once",
		"deploy: {resources: {}}":                    "write limits.cpus as cpus",
		"deploy: {replica: 2}":                       "services.a.deploy.replica: unknown key",
		"hostname: x\nuts: host":                     "/d/f.yaml:4:5: services.a: hostname: uts: host gives it the machine's name",
		"hostname: _":                                "want a host name",
		"cpu_shares: 1":                              "want a number from 2 to 262144",
		"cpu_period: 5000":                           "no meaning without cpu_quota",
		"cpus: 1\ncpu_quota: 5000":                   "cpus says the same",
		"cpuset: a":                                  "want a list of processors",
		"memswap_limit: 1m":                          "needs mem_limit",
		"mem_limit: 2m\nmemswap_limit: 1m":           "/d/f.yaml:5:5: services.a: memswap_limit is memory and swap together; it is below mem_limit",
		"mem_limit: 1m\nmem_reservation: 2m":         "mem_reservation is above mem_limit",
		"extends: {service: x}":                      "services.a.extends: f.yaml declares no service x",
		"extends: {file: ../x, service: x}":          "want the name of a file in the same folder",
		"extends: a":                                 "a circle: a (f.yaml) -> a (f.yaml)",
		"extends: {servce: x}":                       `did you mean "service"`,
		"x-rso: {}":                                  `did you mean "x-ros"`,
		"x-ros: {esential: true}":                    `services.a.x-ros.esential: unknown key (did you mean "essential"?)`,
		"x-ros: {ready: redy}":                       `found "redy" (known: exit, healthy, notify, started)`,
		"x-ros: {scope: users}":                      `did you mean "user"?`,
		"ports: [80:80]\nx-ros: {priority: 5}":       "services.a.x-ros.priority: not supported: for services of scope user only scope is",
		"ports: [80:80]\nprts: 5":                    `services.a.prts: unknown key (did you mean "ports"?)`,
		"x-ros: {scope: user}\nbuild: .":             "images are not built here",
		"x-ros: {ready: healthy}":                    "needs a healthcheck",
		"x-ros: {ready: exit}\nrestart: always":      "restart: always for one that does not",
		"image: y":                                   "/d/f.yaml:4:5: services.a.image: key stands here a second time, first in line 3",
		"volumes: [data:/x]\nx-ros: {scope: system}": "named volumes are for the user runtime",
		"volumes: [/x]":                              "want SOURCE:TARGET",
		"volumes: ['/a:b']":                          `found "b" as the target`,
		"volumes: ['/a:/']":                          `found "/" as the target`,
		"volumes: [/a:/b:rp]":                        `unknown option "rp"`,
		"volumes: [/a:/b:Z]":                         "SELinux",
		"volumes: [/a:/b, /c:/b/]":                   "/b is mounted twice",
		"volumes: [/a:/b]\ntmpfs: /b":                "/b is mounted twice",
		"volumes: [{type: volume, source: x, target: /y}]\nx-ros: {scope: system}": "volume is not supported",
		"volumes: [{source: /x, target: /y}]":                                      "type is missing",
		"volumes: [{type: bind, source: /x, target: /y, volume: {nocopy: true}}]":  "not supported: named volumes",
		"tmpfs: '/x:uid=5'":                                     `unknown option "uid=5"`,
		"network_mode: bridge":                                  "bridge is not supported",
		"network_mode: hst":                                     `found the text "hst", want host or none`,
		"pid: container:x":                                      "want host",
		"cap_add: [NET_ADMN]":                                   `did you mean "NET_ADMIN"?`,
		"privileged: true\ncap_add: [NET_ADMIN]":                "privileged gives every capability",
		"devices: [/x]":                                         "two paths below /dev",
		"device_cgroup_rules: ['x 1:1 r']":                      "want a rule such as",
		"security_opt: ['apparmor:x']":                          "apparmor is not supported yet",
		"security_opt: ['seccomp:/x.json']":                     "profiles of one's own are not supported yet",
		"security_opt: [no-new-privilege]":                      `did you mean "no-new-privileges"?`,
		"sysctls: {net.ipv4.ip_forward: 1}\nnetwork_mode: host": "for the whole machine",
		"ulimits: {nofil: 5}":                                   `unknown limit (did you mean "nofile"?)`,
		"ulimits: {nofile: {soft: 5, hard: 1}}":                 "above the hard one",
		"mem_limit: 5x":                                         `found the text "5x", want a size such as 512m`,
		"mem_limit: 99999999999999t":                            "want a size",
		"cpus: -1":                                              "want a number of processors",
		"oom_score_adj: 2000":                                   "want a number from -1000 to 1000",
		"stop_signal: SIGTREM":                                  `did you mean "SIGTERM"?`,
		"stop_grace_period: 10":                                 "want a time with units",
		"stop_grace_period: -1s":                                "want a time of 0s or more",
		"restart: sometimes":                                    "want no, always, unless-stopped",
		"restart: on-failure:x":                                 "want no, always",
		"depends_on: [a]":                                       "it depends on itself",
		"depends_on: [b, b]":                                    "b stands there twice",
		"depends_on: {b: {condition: service_up}}":              `found "service_up"`,
		"healthcheck: {interval: 5s}":                           "healthcheck.test is missing",
		"healthcheck: {test: [x]}":                              "want a shell command",
		"pull_policy: build":                                    "the OS runs images, it does not build them",
		"userns_mode: keep-id":                                  `found "keep-id"`,
		"environment: [A]":                                      "A has no value",
		"environment: {A: [1]}":                                 "services.a.environment.A: found a list",
		"environment: [A=1, A=2]":                               "a key that stands there once",
		"environment: {A: $NOPE}":                               "/d/f.yaml:4:22: services.a.environment.A: the variable NOPE is not set",
		"environment: {A: '${NOPE:?must be set}'}":              "the variable NOPE: must be set",
		"environment: {A: 5$}":                                  "write $$ for a dollar",
		"env_file: x":                                           "want a path that begins with / or ./",
		"command: 'a \"b'":                                      "a quote is opened and not closed",
		"working_dir: x":                                        "want a path that begins with /",
		"tty: yes":                                              "want true",
	}
}

func TestWhatIsRefusedAndWhy(t *testing.T) {
	for body, want := range badBodies() {
		t.Run(body, func(t *testing.T) {
			f, err := ParseFile("/d/f.yaml", []byte("services:\n  a:\n    image: i\n"+indent(body)+"  good:\n    image: i\n"), vars)
			if err != nil {
				t.Fatal(err)
			}
			if len(f.Services) != 1 || f.Services[0].Name != "good" {
				t.Errorf("the other service of the file is lost: %+v", f.Services)
			}
			if len(f.Invalid) != 1 || f.Invalid[0].Source != "/d/f.yaml:2" {
				t.Fatalf("got %+v", f.Invalid)
			}
			if got := f.Invalid[0].Err.Error(); !strings.Contains(got, want) {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

func TestWhatIsWrongWithAFile(t *testing.T) {
	for text, want := range map[string]string{
		"services:\n\ta: 1\n": "not valid YAML",
		"- a\n":               "found a list, want a mapping",
		"services: [a]\n":     "found a list, want a mapping",
		"servces: {}\n":       `unknown key (did you mean "services"?)`,
		"services: {a: {image: i}}\nvolumes: {}\n":                "named volumes",
		"services: {a: {image: i}}\nnetworks: {}\n":               "the host's network",
		"services: {a: {image: i}}\nname: x\n":                    "no project name",
		"services: {a: {image: i}}\nconfigs: {x: {content: y}}\n": "f:2:15: configs.x.content: not supported: write the file with write_files",
		"services: {a: {image: i}}\nsecrets: {x: {file: y}}\n":    "secrets.x: want file: with a path",
		"services: {a: {image: i}}\ninclude: []\n":                "every *.yaml",
		"services: {a: {image: i}}\n---\nservices: {}\n":          "a second document",
		"services: {a: {image: i}, a: {image: j}}\n":              "a second time",
		"services: {a: }\n":                                       "image is missing",
		"services: {a: x}\n":                                      `found the text "x", want a mapping`,
		"services: {'../a': {image: i}}\n":                        "cannot be the name",
		"services: {a: {image: /x}}\n":                            "not the name of an image",
		"services: {a: {<<: *b}}\n":                               "no anchor",
	} {
		t.Run(text, func(t *testing.T) {
			f, err := ParseFile("f", []byte(text), nil)
			got := fmt.Sprint(err)
			if f != nil {
				got += fmt.Sprint(f.Problems, f.Invalid)
			}
			if !strings.Contains(got, want) {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

func TestAnchorsSpareRepetition(t *testing.T) {
	f, err := ParseFile("f", []byte(`
version: "3.8"
x-base: &base
  image: img:${TAG}
  cap_drop: [ALL]
  x-ros: &ros {essential: true}
services:
  a: {<<: *base, x-ros: {<<: *ros, priority: 1}}
  b: {<<: *base, image: other}
`), vars)
	if err != nil || len(f.Problems)+len(f.Invalid) > 0 || len(f.Services) != 2 {
		t.Fatalf("got %+v, %v", f, err)
	}
	a, b := f.Services[0], f.Services[1]
	if a.Image != "img:1.2" || !a.Essential || a.Priority != 1 || b.Image != "other" || !b.Essential || b.Priority != DefaultPriority || len(b.CapDrop) != 1 {
		t.Errorf("got %+v\n%+v", a, b)
	}
}

func TestAnEmptyFileHoldsNothing(t *testing.T) {
	for _, text := range []string{"", "# nothing\n", "services:\n"} {
		if f, err := ParseFile("f", []byte(text), nil); err != nil || len(f.Services)+len(f.Invalid)+len(f.Problems) > 0 {
			t.Errorf("%q: got %+v, %v", text, f, err)
		}
	}
}

func FuzzParseFile(f *testing.F) {
	f.Add([]byte("services:\n  a:\n    image: i\n    volumes: [/a:/b:ro]\n    depends_on: {b: {condition: service_healthy}}\n"))
	f.Add([]byte("x: &x {image: $A}\nservices: {a: {<<: *x, command: 'a b', tmpfs: '/a:size=1', ulimits: {nofile: 1}}}\n"))
	f.Add([]byte("services: {a: {image: i, healthcheck: {test: [CMD, x]}, environment: [A=${B:-c}], devices: [/dev/a:r], x-ros: {ready: exit}}}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := ParseFile("f", data, vars)
		if err != nil {
			return
		}
		seen := map[string]bool{}
		for _, s := range file.Services {
			if s.Image == "" || s.Name == "" || seen[s.Name] || s.StopGracePeriod < 0 || s.MemLimit < 0 || s.Hash() == "" {
				t.Errorf("a bad service passed: %+v", s)
			}
			seen[s.Name] = true
		}
		for _, i := range file.Invalid {
			if i.Err == nil || i.Reason() == "" || seen[i.Name] {
				t.Errorf("an invalid service without reason, or a good one at once: %+v", i)
			}
			seen[i.Name] = true
		}
	})
}
