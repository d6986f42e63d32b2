package clouds

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/testudo-os/testudo/pkg/datasource"
	"github.com/testudo-os/testudo/pkg/datasource/web"
)

// cloud is a server that answers as a cloud documents. Its paths may be of any
// method; a test can have some of them fail.
type cloud struct {
	*httptest.Server
	mu       sync.Mutex
	requests []string
}

// answer is one answer; a text is one with the status 200.
type answer func(w http.ResponseWriter, r *http.Request)

func text(s string) answer {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, s) }
}

func status(code int) answer {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// drip never comes to an end.
func drip(w http.ResponseWriter, r *http.Request) {
	for {
		select {
		case <-r.Context().Done():
			return
		case <-time.After(20 * time.Millisecond):
			_, _ = w.Write([]byte("{"))
			w.(http.Flusher).Flush()
		}
	}
}

func serve(t *testing.T, answers map[string]answer) *cloud {
	t.Helper()
	c := &cloud{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		at := r.URL.RequestURI()
		c.mu.Lock()
		c.requests = append(c.requests, r.Method+" "+at)
		c.mu.Unlock()
		if a, ok := answers[at]; ok {
			a(w, r)
			return
		}
		w.WriteHeader(http.StatusNotFound)
	}))
	t.Cleanup(c.Close)
	return c
}

// asked says whether any request contains s.
func (c *cloud) asked(s string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.Contains(strings.Join(c.requests, "\n"), s)
}

func env(f datasource.Facts) *datasource.Env {
	return &datasource.Env{Facts: &f, Web: &web.Client{Try: 400 * time.Millisecond}}
}

// within bounds a test whose cloud never answers.
func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(t.Context(), d, errors.New("bound"))
	t.Cleanup(cancel)
	return ctx
}

// header answers only where a header is as it should be.
func header(name, value string, then answer) answer {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get(name) != value {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		then(w, r)
	}
}

const userData = "#cloud-config\nhostname: from-user-data\n"

// The figures are those of the clouds' documentation and of cloud-init's test
// data, cut to what is read.
func answersOf(name string) map[string]answer {
	switch name {
	case "ec2":
		token := func(then answer) answer { return header(tokenHeader, "TOKEN", then) }
		return map[string]answer{
			"/latest/api/token": func(w http.ResponseWriter, r *http.Request) {
				if r.Method != http.MethodPut || r.Header.Get(tokenTTL) != "21600" {
					w.WriteHeader(http.StatusBadRequest)
					return
				}
				_, _ = io.WriteString(w, "TOKEN")
			},
			"/latest/meta-data/instance-id":                 token(text("i-0123456789abcdef0")),
			"/latest/meta-data/local-hostname":              token(text("ip-10-0-0-1.eu-west-1.compute.internal")),
			"/latest/meta-data/placement/availability-zone": token(text("eu-west-1a")),
			"/latest/meta-data/placement/region":            token(text("eu-west-1")),
			"/latest/meta-data/public-keys/":                token(text("0=mine\n1=yours")),
			"/latest/meta-data/public-keys/0/openssh-key":   token(text("ssh-ed25519 AAAA0 mine\n")),
			"/latest/meta-data/public-keys/1/openssh-key":   token(text("ssh-ed25519 AAAA1 yours\n")),
			"/latest/user-data":                             token(text(userData)),
		}
	case "gce":
		return map[string]answer{"/computeMetadata/v1/?recursive=true&alt=json": header("Metadata-Flavor", "Google", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Metadata-Flavor", "Google")
			_, _ = io.WriteString(w, `{"instance": {"id": 4520033842811234567, "hostname": "tortoise.c.project.internal", "zone": "projects/123/zones/europe-west1-b",
				"attributes": {"user-data": `+quoted(userData)+`, "ssh-keys": "testudo:ssh-ed25519 AAAA0 me\nalice:ssh-ed25519 AAAA9 alice\ntestudo:ssh-ed25519 AAAA8 google-ssh {\"userName\":\"me\",\"expireOn\":\"2020-01-01T00:00:00+0000\"}"}},
				"project": {"attributes": {"ssh-keys": "cloudinit:ssh-ed25519 AAAA1 project"}}}`)
		})}
	case "azure":
		return map[string]answer{
			"/metadata/instance?api-version=2021-08-01&extended=true": header("Metadata", "true", text(`{"compute": {"vmId": "02aab8a4-74ef-476e-8182-f6d2ba4166a6", "name": "vm",
				"osProfile": {"computerName": "tortoise", "adminUsername": "me"}, "location": "westeurope", "zone": "1",
				"publicKeys": [{"keyData": "ssh-ed25519 AAAA0 mine\r\n", "path": "/home/me/.ssh/authorized_keys"}],
				"userData": "I2Nsb3VkLWNvbmZpZwpob3N0bmFtZTogZnJvbS11c2VyLWRhdGEK"}}`)),
		}
	case "oracle":
		return map[string]answer{"/opc/v2/instance/": header("Authorization", "Bearer Oracle", text(`{"ociAdName": "phx-ad-3", "canonicalRegionName": "us-phoenix-1",
			"hostname": "instance-20200320-1400", "id": "ocid1.instance.oc1.phx.anyhqljtniwq6syc3nex55sep5w34qbwmw6",
			"metadata": {"ssh_authorized_keys": "ssh-ed25519 AAAA0 mine\nssh-ed25519 AAAA1 yours", "user_data": "I2Nsb3VkLWNvbmZpZwpob3N0bmFtZTogZnJvbS11c2VyLWRhdGEK"}}`))}
	case "hetzner":
		return map[string]answer{
			"/hetzner/v1/metadata": text("hostname: tortoise\ninstance-id: 123456\nregion: eu-central\navailability-zone: fsn1-dc14\n" +
				"public-keys:\n- ssh-ed25519 AAAA0 mine\nvendor_data: \"#cloud-config\\ntimezone: UTC\"\n" +
				"network-config:\n  version: 1\n  config:\n  - mac_address: 96:00:00:08:19:da\n    name: eth0\n    type: physical\n    subnets: [{type: dhcp, ipv4: true}]\n"),
			"/hetzner/v1/userdata": text(userData),
		}
	case "digitalocean":
		return map[string]answer{"/metadata/v1.json": text(`{"droplet_id": 22532410, "hostname": "tortoise", "vendor_data": "#cloud-config\ntimezone: UTC", "user_data": ` + quoted(userData) + `,
			"public_keys": ["ssh-ed25519 AAAA0 mine"], "region": "nyc3", "dns": {"nameservers": ["2001:4860:4860::8844", "8.8.8.8"]}, "interfaces": {
			"private": [{"ipv4": {"ip_address": "10.132.6.205", "netmask": "255.255.0.0", "gateway": "10.132.0.1"}, "mac": "04:01:57:d1:9e:02", "type": "private"}],
			"public": [{"ipv4": {"ip_address": "192.0.2.20", "netmask": "255.255.255.0", "gateway": "192.0.2.1"},
				"ipv6": {"ip_address": "2001:DB8:0800:0000:1000:0000:0000:0001", "cidr": 64, "gateway": "2001:DB8:0800::1"},
				"anchor_ipv4": {"ip_address": "10.0.0.5", "netmask": "255.255.0.0", "gateway": "10.0.0.1"}, "mac": "04:01:57:D1:9E:01", "type": "public"}]}}`)}
	case "vultr":
		return map[string]answer{"/v1.json": header("Metadata-Token", "cloudinit", text(`{"hostname": "tortoise", "instance-v2-id": "29bea708-2e6e-480a-90ad-0e6b5d5ad62f", "instanceid": "42506325",
			"public-keys": ["ssh-ed25519 AAAA0 mine"], "region": {"regioncode": "EWR", "countrycode": "US"}, "user-data": `+quoted(userData)+`, "vendor-data": "#cloud-config\ntimezone: UTC"}`))}
	case "scaleway":
		private := func(then answer) answer {
			return func(w http.ResponseWriter, r *http.Request) {
				var port int
				if _, err := fmt.Sscanf(r.RemoteAddr[strings.LastIndex(r.RemoteAddr, ":"):], ":%d", &port); err != nil || port >= 1024 {
					w.WriteHeader(http.StatusForbidden)
					return
				}
				then(w, r)
			}
		}
		return map[string]answer{
			"/conf?format=json": text(`{"id": "11111111-1111-4111-8111-111111111111", "hostname": "tortoise", "location": {"zone_id": "par1"},
				"ssh_public_keys": [{"key": "ssh-ed25519 AAAA0 mine", "fingerprint": "256 ..."}], "tags": ["AUTHORIZED_KEY=ssh-ed25519_AAAA1", "web"]}`),
			"/user_data/cloud-init":   private(text(userData)),
			"/vendor_data/cloud-init": private(text("#cloud-config\ntimezone: UTC")),
		}
	case "exoscale", "cloudstack":
		v := map[string]string{"exoscale": "/1.0", "cloudstack": "/latest"}[name]
		return map[string]answer{
			v + "/meta-data/instance-id":    text("4f7a5d1e-1111-4111-8111-111111111111"),
			v + "/meta-data/local-hostname": text("tortoise"),
			v + "/meta-data/public-keys/":   text("ssh-ed25519 AAAA0 mine\nssh-ed25519 AAAA1 yours\n"),
			v + "/user-data":                text(userData),
		}
	case "equinix":
		return map[string]answer{
			"/metadata": text(`{"id": "c8a5f1d1-1111-4111-8111-111111111111", "hostname": "tortoise", "metro": "am", "facility": "am6", "ssh_keys": ["ssh-ed25519 AAAA0 mine"]}`),
			"/userdata": text(userData),
		}
	case "openstack":
		return map[string]answer{
			"/openstack/latest/meta_data.json":    text(openStackMeta),
			"/openstack/latest/user_data":         text(userData),
			"/openstack/latest/vendor_data.json":  text(`{"cloud-init": "#cloud-config\ntimezone: UTC", "static": {"x": 1}}`),
			"/openstack/latest/network_data.json": text(openStackNet),
		}
	}
	panic(name)
}

const openStackMeta = `{"uuid": "83679162-1378-4288-a2d4-70e13ec132aa", "hostname": "tortoise.novalocal", "name": "tortoise", "availability_zone": "nova",
	"public_keys": {"b": "ssh-ed25519 AAAA1 yours\n", "a": "ssh-ed25519 AAAA0 mine"}, "meta": {"role": "web"}, "launch_index": 0}`

const openStackNet = `{"services": [{"type": "dns", "address": "172.16.36.11"}],
	"links": [{"id": "tap77a0dc5b-72", "ethernet_mac_address": "FA:16:3E:DD:50:9A", "type": "bridge", "mtu": 1450}, {"id": "tap2", "ethernet_mac_address": "fa:16:3e:dd:50:9b", "type": "ovs", "mtu": null}],
	"networks": [
		{"id": "network0", "type": "ipv4", "link": "tap77a0dc5b-72", "ip_address": "172.17.48.18", "netmask": "255.255.255.128", "routes": [{"network": "0.0.0.0", "netmask": "0.0.0.0", "gateway": "172.17.48.1"}]},
		{"id": "network1", "type": "ipv6", "link": "tap77a0dc5b-72", "ip_address": "fdb8:52d0:9d14:0:f816:3eff:fe9f:70d", "netmask": "ffff:ffff:ffff:ffff::", "routes": [{"network": "::", "netmask": "::", "gateway": "fdb8:52d0:9d14::1"}]},
		{"id": "network2", "type": "ipv4_dhcp", "link": "tap2"}]}`

func quoted(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// at makes the source of a name ask a server.
func at(name string, url string) datasource.Source {
	now := func() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }
	return map[string]datasource.Source{
		"ec2": EC2{Bases: []string{url}}, "gce": GCE{Base: url, DefaultUser: "testudo", Now: now}, "azure": Azure{Base: url, Wire: url},
		"oracle": Oracle{Bases: []string{url}}, "hetzner": Hetzner{Bases: []string{url}}, "digitalocean": DigitalOcean{url}, "vultr": Vultr{url},
		"scaleway": Scaleway{Bases: []string{url}}, "exoscale": Exoscale{url}, "cloudstack": CloudStack{Bases: []string{url}},
		"equinix": Equinix{url}, "openstack": OpenStack{Bases: []string{url}},
	}[name]
}

var allClouds = []string{"ec2", "gce", "azure", "oracle", "hetzner", "digitalocean", "vultr", "scaleway", "exoscale", "cloudstack", "equinix", "openstack"}

func needRoot(t *testing.T, name string) {
	t.Helper()
	if name == "scaleway" && os.Getuid() != 0 {
		t.Skip("needs root for a port below 1024")
	}
}

func TestClouds(t *testing.T) {
	mine, yours := "ssh-ed25519 AAAA0 mine", "ssh-ed25519 AAAA1 yours"
	utc := "#cloud-config\ntimezone: UTC"
	for name, want := range map[string]datasource.Data{
		"ec2":    {Meta: datasource.Meta{InstanceID: "i-0123456789abcdef0", Hostname: "ip-10-0-0-1.eu-west-1.compute.internal", PublicKeys: []string{mine, yours}, Region: "eu-west-1", AvailabilityZone: "eu-west-1a"}},
		"gce":    {Meta: datasource.Meta{InstanceID: "4520033842811234567", Hostname: "tortoise", PublicKeys: []string{"ssh-ed25519 AAAA0 me", "ssh-ed25519 AAAA1 project"}, Region: "europe-west1", AvailabilityZone: "europe-west1-b"}},
		"azure":  {Meta: datasource.Meta{InstanceID: "02aab8a4-74ef-476e-8182-f6d2ba4166a6", Hostname: "tortoise", PublicKeys: []string{mine}, Region: "westeurope", AvailabilityZone: "1"}},
		"oracle": {Meta: datasource.Meta{InstanceID: "ocid1.instance.oc1.phx.anyhqljtniwq6syc3nex55sep5w34qbwmw6", Hostname: "instance-20200320-1400", PublicKeys: []string{mine, yours}, Region: "us-phoenix-1", AvailabilityZone: "phx-ad-3"}},
		"hetzner": {Meta: datasource.Meta{InstanceID: "123456", Hostname: "tortoise", PublicKeys: []string{mine}, Region: "eu-central", AvailabilityZone: "fsn1-dc14"}, VendorData: []byte(utc),
			NetworkConfig: []byte(`{"config":[{"mac_address":"96:00:00:08:19:da","name":"eth0","subnets":[{"ipv4":true,"type":"dhcp"}],"type":"physical"}],"version":1}`)},
		"digitalocean": {Meta: datasource.Meta{InstanceID: "22532410", Hostname: "tortoise", PublicKeys: []string{mine}, Region: "nyc3"}, VendorData: []byte(utc), NetworkConfig: []byte(`{"version":2,"ethernets":{` +
			`"private0":{"match":{"macaddress":"04:01:57:d1:9e:02"},"dhcp4":false,"addresses":["10.132.6.205/16"]},` +
			`"public0":{"match":{"macaddress":"04:01:57:d1:9e:01"},"dhcp4":false,"addresses":["192.0.2.20/24","2001:db8:800:0:1000::1/64","10.0.0.5/16"],` +
			`"routes":[{"to":"0.0.0.0/0","via":"192.0.2.1"},{"to":"::/0","via":"2001:DB8:0800::1"}],"nameservers":{"addresses":["2001:4860:4860::8844","8.8.8.8"]}}}}`)},
		"vultr":      {Meta: datasource.Meta{InstanceID: "29bea708-2e6e-480a-90ad-0e6b5d5ad62f", Hostname: "tortoise", PublicKeys: []string{mine}, Region: "ewr"}, VendorData: []byte(utc)},
		"scaleway":   {Meta: datasource.Meta{InstanceID: "11111111-1111-4111-8111-111111111111", Hostname: "tortoise", PublicKeys: []string{mine, "ssh-ed25519 AAAA1"}, AvailabilityZone: "par1"}, VendorData: []byte(utc)},
		"exoscale":   {Meta: datasource.Meta{InstanceID: "4f7a5d1e-1111-4111-8111-111111111111", Hostname: "tortoise", PublicKeys: []string{mine, yours}}},
		"cloudstack": {Meta: datasource.Meta{InstanceID: "4f7a5d1e-1111-4111-8111-111111111111", Hostname: "tortoise", PublicKeys: []string{mine, yours}}},
		"equinix":    {Meta: datasource.Meta{InstanceID: "c8a5f1d1-1111-4111-8111-111111111111", Hostname: "tortoise", PublicKeys: []string{mine}, Region: "am", AvailabilityZone: "am6"}},
		"openstack": {Meta: datasource.Meta{InstanceID: "83679162-1378-4288-a2d4-70e13ec132aa", Hostname: "tortoise.novalocal", PublicKeys: []string{mine, yours}, AvailabilityZone: "nova"}, VendorData: []byte(utc),
			NetworkConfig: []byte(`{"version":2,"ethernets":{"tap2":{"match":{"macaddress":"fa:16:3e:dd:50:9b"},"dhcp4":true,"nameservers":{"addresses":["172.16.36.11"]}},` +
				`"tap77a0dc5b-72":{"match":{"macaddress":"fa:16:3e:dd:50:9a"},"mtu":1450,"dhcp4":false,"addresses":["172.17.48.18/25","fdb8:52d0:9d14:0:f816:3eff:fe9f:70d/64"],` +
				`"routes":[{"to":"0.0.0.0/0","via":"172.17.48.1"},{"to":"::/0","via":"fdb8:52d0:9d14::1"}],"nameservers":{"addresses":["172.16.36.11"]}}}}`)},
	} {
		t.Run(name, func(t *testing.T) {
			needRoot(t, name)
			c := serve(t, answersOf(name))
			got, err := at(name, c.URL).Fetch(within(t, 20*time.Second), env(datasource.Facts{}))
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(got.Source, name+" (") || !json.Valid(got.Raw) {
				t.Errorf("source %q, raw %s", got.Source, got.Raw)
			}
			want.Source, want.Raw, want.UserData = got.Source, got.Raw, []byte(userData)
			if len(got.VendorData) == 0 {
				got.VendorData = nil
			}
			if !reflect.DeepEqual(*got, want) {
				t.Errorf("got  %+v\nwant %+v\nnetwork %s", *got, want, got.NetworkConfig)
			}
		})
	}
}

func TestEveryCloudThatFails(t *testing.T) {
	for _, name := range allClouds {
		for kind, with := range map[string]answer{
			"404":                  status(http.StatusNotFound),
			"403":                  status(http.StatusForbidden),
			"garbage":              text("\x00\xff<html><body>It works!</body></html>"),
			"nothing":              text(""),
			"JSON of another kind": text(`["a", 1]`),
			"empty JSON":           text(`{}`),
		} {
			t.Run(name+" answers "+kind, func(t *testing.T) {
				needRoot(t, name)
				answers := answersOf(name)
				for path := range answers {
					answers[path] = with
				}
				c := serve(t, answers)
				start := time.Now()
				got, err := at(name, c.URL).Fetch(within(t, 5*time.Second), env(datasource.Facts{}))
				if got != nil || err == nil {
					t.Errorf("got %+v, %v", got, err)
				}
				if time.Since(start) > 4*time.Second {
					t.Errorf("it took %v to see that", time.Since(start))
				}
			})
		}
		for kind, with := range map[string]answer{"500": status(500), "a drip without end": drip, "429": status(429)} {
			t.Run(name+" answers "+kind, func(t *testing.T) {
				t.Parallel()
				needRoot(t, name)
				answers := answersOf(name)
				for path := range answers {
					answers[path] = with
				}
				c := serve(t, answers)
				start := time.Now()
				got, err := at(name, c.URL).Fetch(within(t, time.Second), env(datasource.Facts{}))
				if got != nil || err == nil || time.Since(start) > 10*time.Second {
					t.Errorf("after %v: got %+v, %v", time.Since(start), got, err)
				}
			})
		}
	}
}

func TestEveryCloudWithoutUserData(t *testing.T) {
	for name, without := range map[string]func(map[string]answer){
		"ec2":      func(a map[string]answer) { delete(a, "/latest/user-data") },
		"hetzner":  func(a map[string]answer) { a["/hetzner/v1/userdata"] = status(http.StatusNoContent) },
		"scaleway": func(a map[string]answer) { delete(a, "/user_data/cloud-init"); delete(a, "/vendor_data/cloud-init") },
		"exoscale": func(a map[string]answer) { delete(a, "/1.0/user-data") },
		"equinix":  func(a map[string]answer) { delete(a, "/userdata") },
		"openstack": func(a map[string]answer) {
			delete(a, "/openstack/latest/user_data")
			delete(a, "/openstack/latest/vendor_data.json")
		},
		"vultr": func(a map[string]answer) {
			a["/v1.json"] = text(`{"hostname": "h", "instanceid": "1", "user-data": []}`)
		},
		"digitalocean": func(a map[string]answer) { a["/metadata/v1.json"] = text(`{"droplet_id": 1}`) },
		"oracle":       func(a map[string]answer) { a["/opc/v2/instance/"] = text(`{"id": "ocid1"}`) },
	} {
		t.Run(name, func(t *testing.T) {
			needRoot(t, name)
			answers := answersOf(name)
			without(answers)
			got, err := at(name, serve(t, answers).URL).Fetch(within(t, 10*time.Second), env(datasource.Facts{}))
			if err != nil || len(got.UserData) != 0 {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

func TestEC2Tokens(t *testing.T) {
	t.Run("a token that runs out is renewed", func(t *testing.T) {
		answers := answersOf("ec2")
		tokens := 0
		answers["/latest/api/token"] = func(w http.ResponseWriter, _ *http.Request) {
			tokens++
			_, _ = fmt.Fprintf(w, "TOKEN%d", tokens)
		}
		uses := 0
		for path := range answers {
			if path == "/latest/api/token" {
				continue
			}
			body := httptest.NewRecorder()
			r := httptest.NewRequest("GET", path, nil)
			r.Header.Set(tokenHeader, "TOKEN")
			answers[path](body, r)
			answers[path] = func(w http.ResponseWriter, r *http.Request) {
				uses++
				if r.Header.Get(tokenHeader) != fmt.Sprintf("TOKEN%d", tokens) || uses == 4 {
					w.WriteHeader(http.StatusUnauthorized)
					return
				}
				_, _ = w.Write(body.Body.Bytes())
			}
		}
		got, err := at("ec2", serve(t, answers).URL).Fetch(t.Context(), env(datasource.Facts{}))
		if err != nil || got.Meta.InstanceID != "i-0123456789abcdef0" || tokens != 2 {
			t.Errorf("got %+v, %v with %d tokens", got, err, tokens)
		}
	})
	for _, code := range []int{404, 405} {
		t.Run(fmt.Sprintf("a service that answers %d is asked without one", code), func(t *testing.T) {
			answers := answersOf("exoscale") // version 1, elsewhere
			old := map[string]answer{"/latest/api/token": status(code)}
			for path, a := range answers {
				old["/latest"+strings.TrimPrefix(path, "/1.0")] = a
			}
			got, err := at("ec2", serve(t, old).URL).Fetch(t.Context(), env(datasource.Facts{}))
			if err != nil || string(got.UserData) != userData {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
	t.Run("a service that is switched off is not asked without one", func(t *testing.T) {
		answers := answersOf("ec2")
		answers["/latest/api/token"] = status(403)
		c := serve(t, answers)
		if _, err := at("ec2", c.URL).Fetch(t.Context(), env(datasource.Facts{})); err == nil || !strings.Contains(err.Error(), "switched off") || c.asked("GET ") {
			t.Errorf("got %v, %q", err, c.requests)
		}
	})
	t.Run("the second address counts when the first is dead", func(t *testing.T) {
		dead := httptest.NewServer(nil)
		dead.Close()
		c := serve(t, answersOf("ec2"))
		if got, err := (EC2{Bases: []string{dead.URL, c.URL}}).Fetch(t.Context(), env(datasource.Facts{})); err != nil || got == nil {
			t.Errorf("got %+v, %v", got, err)
		}
	})
}

func TestGCEIsItselfOrNobody(t *testing.T) {
	c := serve(t, map[string]answer{"/computeMetadata/v1/?recursive=true&alt=json": text(`{"instance": {"id": 1}}`)})
	if got, err := at("gce", c.URL).Fetch(t.Context(), env(datasource.Facts{})); got != nil || err == nil || !strings.Contains(err.Error(), "is not Google's") {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestGCEUserDataInBase64(t *testing.T) {
	a := tree{map[string]any{"user-data": "I2Nsb3VkLWNvbmZpZwo=", "user-data-encoding": "base64"}}
	if got, err := gceUserData(a); string(got) != "#cloud-config\n" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := gceUserData(tree{map[string]any{"user-data": "x", "user-data-encoding": "rot13"}}); err == nil {
		t.Error("an encoding that is none is taken")
	}
}

func TestHetznerAnswersForThisMachineAlone(t *testing.T) {
	c := serve(t, answersOf("hetzner"))
	if _, err := at("hetzner", c.URL).Fetch(t.Context(), env(datasource.Facts{DMI: datasource.DMI{ProductSerial: "123456"}})); err != nil {
		t.Error(err)
	}
	if _, err := at("hetzner", c.URL).Fetch(t.Context(), env(datasource.Facts{DMI: datasource.DMI{ProductSerial: "99"}})); err == nil {
		t.Error("another machine's metadata are taken")
	}
}

func TestCloudStackAsksTheServerOfTheLease(t *testing.T) {
	c := serve(t, answersOf("cloudstack"))
	e := env(datasource.Facts{})
	tries := 0
	e.Leases = func() []datasource.Lease {
		if tries++; tries < 2 { // DHCP takes its time
			return nil
		}
		return []datasource.Lease{{Server: strings.TrimPrefix(c.URL, "http://")}}
	}
	got, err := CloudStack{}.Fetch(within(t, 20*time.Second), e)
	if err != nil || got.Meta.Hostname != "tortoise" {
		t.Errorf("got %+v, %v", got, err)
	}
	e.Leases = func() []datasource.Lease { return nil }
	if _, err := (CloudStack{}).Fetch(within(t, 700*time.Millisecond), e); err == nil || !strings.Contains(err.Error(), "no DHCP lease") {
		t.Errorf("without a lease: got %v", err)
	}
}

func TestOracleWithoutItsNewerVersion(t *testing.T) {
	c := serve(t, map[string]answer{"/opc/v1/instance/": text(`{"id": "ocid1", "hostname": "h"}`)})
	if got, err := at("oracle", c.URL).Fetch(t.Context(), env(datasource.Facts{})); err != nil || got.Meta.Hostname != "h" {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestAzureReportsThatTheMachineIsUp(t *testing.T) {
	var report string
	answers := map[string]answer{
		"/machine/?comp=goalstate": header("x-ms-version", "2012-11-30", text(`<?xml version="1.0" encoding="utf-8"?>
<GoalState xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><Version>2012-11-30</Version><Incarnation>1</Incarnation>
<Machine><ExpectedState>Started</ExpectedState></Machine><Container><ContainerId>c6d5</ContainerId><RoleInstanceList><RoleInstance>
<InstanceId>c6d5._tortoise</InstanceId><State>Started</State></RoleInstance></RoleInstanceList></Container></GoalState>`)),
		"/machine?comp=health": func(_ http.ResponseWriter, r *http.Request) {
			b, err := io.ReadAll(r.Body)
			if err != nil || r.Method != http.MethodPost || !strings.HasPrefix(r.Header.Get("Content-Type"), "text/xml") {
				t.Errorf("%s %v, %v", r.Method, r.Header, err)
			}
			report = string(b)
		},
	}
	c := serve(t, answers)
	if err := (Azure{Wire: c.URL}).Ready(t.Context(), env(datasource.Facts{})); err != nil {
		t.Fatal(err)
	}
	want := `<Health><GoalStateIncarnation>1</GoalStateIncarnation><Container><ContainerId>c6d5</ContainerId><RoleInstanceList><Role><InstanceId>c6d5._tortoise</InstanceId><Health><State>Ready</State></Health></Role></RoleInstanceList></Container></Health>`
	if !strings.HasSuffix(report, want) {
		t.Errorf("got  %s\nwant %s", report, want)
	}
	for _, garbage := range []string{"", "<GoalState/>", "{}"} {
		answers["/machine/?comp=goalstate"] = text(garbage)
		if err := (Azure{Wire: c.URL}).Ready(t.Context(), env(datasource.Facts{})); err == nil {
			t.Errorf("%q is taken for a goal state", garbage)
		}
	}
}

func TestAzureOfAnOlderKind(t *testing.T) {
	c := serve(t, map[string]answer{
		"/metadata/instance?api-version=2021-08-01&extended=true": status(400),
		"/metadata/instance?api-version=2019-06-01":               text(`{"compute": {"vmId": "1", "name": "vm"}}`),
	})
	if got, err := at("azure", c.URL).Fetch(t.Context(), env(datasource.Facts{})); err != nil || got.Meta.Hostname != "vm" {
		t.Errorf("got %+v, %v", got, err)
	}
}
