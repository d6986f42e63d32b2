package clouds

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/testudo-os/testudo/pkg/datasource"
	"github.com/testudo-os/testudo/pkg/datasource/web"
)

// Azure is Microsoft's: the instance metadata service, the disc ovf-env.xml is
// on while a machine is provisioned, and the wire server, which wants to hear
// that the machine is up (it is taken for broken after 20 minutes).
type Azure struct {
	Base string // instance metadata
	Wire string // wire server
}

// azureTag is the chassis asset tag of every machine of Azure.
const azureTag = "7783-7084-3265-9085-8269-3286-77"

// Name is Azure's.
func (Azure) Name() string { return "azure" }

// Detect looks for the asset tag: Hyper-V alone is not Azure.
func (Azure) Detect(f *datasource.Facts) datasource.Match {
	if f.DMI.ChassisAssetTag == azureTag {
		return network("the chassis has Azure's asset tag")
	}
	return missing("the chassis does not have Azure's asset tag")
}

// Fetch reads the disc, which may be gone after the first boot, and the
// service. Custom data of the disc come before user data of the service.
func (s Azure) Fetch(ctx context.Context, env *datasource.Env) (*datasource.Data, error) {
	var errs []error
	disc, err := readOVF(ctx, env, env.Facts.Volumes, parseAzure)
	if err != nil && !errors.Is(err, datasource.ErrNone) {
		errs = append(errs, err)
	}
	t, err := s.instance(ctx, env.Web)
	if err != nil {
		return nil, errors.Join(append(errs, err)...)
	}
	compute := t.at("compute")
	id := compute.text("vmId")
	if id == "" {
		return nil, errors.New("the instance metadata have no compute.vmId")
	}
	name := compute.text("osProfile", "computerName")
	if name == "" {
		name = compute.text("name")
	}
	data := &datasource.Data{Source: "azure (" + s.base() + ")", Meta: meta(id, name), Raw: t.raw()}
	data.Meta.Region, data.Meta.AvailabilityZone = compute.text("location"), compute.text("zone")
	for _, k := range compute.list("publicKeys") {
		data.Meta.PublicKeys = append(data.Meta.PublicKeys, strings.Join(k.lines("keyData"), ""))
	}
	if text := compute.text("userData"); text != "" {
		if data.UserData, err = decodeBase64("compute.userData", text); err != nil {
			errs = append(errs, err)
		}
	}
	if disc != nil {
		if len(disc.UserData) > 0 {
			data.UserData = disc.UserData
		}
		if disc.Meta.Hostname != "" {
			data.Meta.Hostname = disc.Meta.Hostname
		}
		if len(data.Meta.PublicKeys) == 0 {
			data.Meta.PublicKeys = disc.Meta.PublicKeys
		}
	}
	data.Partial = len(errs) > 0
	return data, errors.Join(errs...)
}

func (s Azure) base() string {
	if s.Base != "" {
		return s.Base
	}
	return "http://169.254.169.254"
}

// instance asks for the newer version first; a service without it answers 400.
func (s Azure) instance(ctx context.Context, client *web.Client) (tree, error) {
	header := map[string]string{"Metadata": "true"}
	at := s.base() + "/metadata/instance?api-version="
	body, err := client.Get(ctx, at+"2021-08-01&extended=true", header)
	if web.IsStatus(err, 400) {
		body, err = client.Get(ctx, at+"2019-06-01", header)
	}
	if err != nil {
		return tree{}, err
	}
	return parseObject("the instance metadata", body)
}

// azureEnvironment is what we use of the disc's ovf-env.xml.
type azureEnvironment struct {
	XMLName xml.Name `xml:"Environment"`
	Linux   *struct {
		HostName   string `xml:"HostName"`
		CustomData string `xml:"CustomData"`
		Keys       []struct {
			Value       string `xml:"Value"`
			Fingerprint string `xml:"Fingerprint"`
		} `xml:"SSH>PublicKeys>PublicKey"`
	} `xml:"ProvisioningSection>LinuxProvisioningConfigurationSet"`
}

func parseAzure(what string, text []byte) (*datasource.Data, error) {
	var e azureEnvironment
	if err := decodeXML(what, text, &e); err != nil {
		return nil, err
	}
	if e.Linux == nil {
		return nil, datasource.ErrNone // another cloud's
	}
	data := &datasource.Data{Meta: datasource.Meta{Hostname: strings.TrimSpace(e.Linux.HostName)}}
	for _, k := range e.Linux.Keys {
		if v := strings.TrimSpace(k.Value); v != "" {
			data.Meta.PublicKeys = append(data.Meta.PublicKeys, v)
		}
	}
	if e.Linux.CustomData != "" {
		custom, err := decodeBase64(what+": CustomData", e.Linux.CustomData)
		if err != nil {
			return nil, err
		}
		data.UserData = custom
	}
	return data, nil
}

// decodeXML reads one document of bounded size. encoding/xml expands no
// entities of its own.
func decodeXML(what string, text []byte, into any) error {
	d := xml.NewDecoder(bytes.NewReader(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))))
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("%s is not an OVF environment: %w", what, err)
	}
	return nil
}

// readOVF looks on optical discs for an OVF environment that parse takes.
func readOVF(ctx context.Context, env *datasource.Env, volumes []datasource.Volume,
	parse func(what string, text []byte) (*datasource.Data, error),
) (*datasource.Data, error) {
	var errs []error
	for _, v := range volumes {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if !strings.HasPrefix(v.Device, "/dev/sr") {
			continue
		}
		data, err := readOVFDisc(ctx, env, v, parse)
		if data != nil {
			return data, err
		}
		if err != nil && !errors.Is(err, datasource.ErrNone) {
			errs = append(errs, fmt.Errorf("%s: %w", v.Device, err))
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return nil, datasource.ErrNone
}

func readOVFDisc(ctx context.Context, env *datasource.Env, v datasource.Volume,
	parse func(string, []byte) (*datasource.Data, error),
) (*datasource.Data, error) {
	return onVolume(env, v, func(dir string) (*datasource.Data, error) {
		open := directory(dir)
		for _, name := range []string{"ovf-env.xml", "ovf_env.xml", "OVF-ENV.XML", "OVF_ENV.XML"} {
			text, err := open(ctx, name)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			return parse(name, text)
		}
		return nil, datasource.ErrNone
	})
}

// goalState is what the wire server says this machine is.
type goalState struct {
	Incarnation string `xml:"Incarnation"`
	Container   string `xml:"Container>ContainerId"`
	Instance    string `xml:"Container>RoleInstanceList>RoleInstance>InstanceId"`
}

// health is the report on it. (Microsoft, "Creating generalized images without
// a provisioning agent".)
type health struct {
	XMLName     xml.Name `xml:"Health"`
	Incarnation string   `xml:"GoalStateIncarnation"`
	Container   string   `xml:"Container>ContainerId"`
	Instance    string   `xml:"Container>RoleInstanceList>Role>InstanceId"`
	State       string   `xml:"Container>RoleInstanceList>Role>Health>State"`
}

// Ready tells the wire server.
func (s Azure) Ready(ctx context.Context, env *datasource.Env) error {
	wire := s.Wire
	if wire == "" {
		wire = "http://168.63.129.16"
	}
	header := map[string]string{"x-ms-agent-name": "Testudo", "x-ms-version": "2012-11-30"}
	body, err := env.Web.Get(ctx, wire+"/machine/?comp=goalstate", header)
	if err != nil {
		return fmt.Errorf("ask Azure's wire server for the goal state: %w", err)
	}
	var goal goalState
	if err := xml.Unmarshal(body, &goal); err != nil || goal.Container == "" || goal.Instance == "" || goal.Incarnation == "" {
		return fmt.Errorf("%s: the answer is no goal state", wire)
	}
	report, err := xml.Marshal(health{Incarnation: goal.Incarnation, Container: goal.Container, Instance: goal.Instance, State: "Ready"})
	if err != nil {
		return fmt.Errorf("report to Azure: %w", err)
	}
	header["Content-Type"] = "text/xml; charset=utf-8"
	if _, err := env.Web.Do(ctx, web.Request{
		URL: wire + "/machine?comp=health", Header: header, Body: append([]byte(xml.Header), report...),
	}); err != nil {
		return fmt.Errorf("tell Azure that the machine is up: %w", err)
	}
	return nil
}
