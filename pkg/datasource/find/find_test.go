package find

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/testudo-os/testudo/pkg/cmdline"
	"github.com/testudo-os/testudo/pkg/datasource"
	"github.com/testudo-os/testudo/pkg/datasource/web"
)

// source is a datasource that gives what it is told to.
type source struct {
	name  string
	needs datasource.Needs
	there bool
	data  *datasource.Data
	err   error
	calls *int
	ready *int
}

func (s source) Name() string { return s.name }

func (s source) Detect(*datasource.Facts) datasource.Match {
	return datasource.Match{Found: s.there, Reason: "facts about " + s.name, Needs: s.needs}
}

func (s source) Fetch(context.Context, *datasource.Env) (*datasource.Data, error) {
	if s.calls != nil {
		*s.calls++
	}
	if s.data == nil {
		if s.err == nil {
			return nil, datasource.ErrNone
		}
		return nil, s.err
	}
	copied := *s.data
	return &copied, s.err
}

func (s source) Ready(context.Context, *datasource.Env) error {
	if s.ready != nil {
		*s.ready++
	}
	return nil
}

func data(instance, user string) *datasource.Data {
	return &datasource.Data{Source: "seed", Meta: datasource.Meta{InstanceID: instance}, UserData: []byte(user)}
}

// machine is one whose state disk lasts over boots.
type machine struct {
	t     *testing.T
	cache datasource.Cache
	dmi   datasource.DMI
	line  string
	bad   string // configurations with this word are refused
	undos int
}

func newMachine(t *testing.T) *machine {
	return &machine{t: t, cache: datasource.Cache{Path: filepath.Join(t.TempDir(), "datasource.json")}, bad: "bad", dmi: datasource.DMI{ProductUUID: "one"}}
}

func (m *machine) finder(sources ...datasource.Source) *Finder {
	return New(Options{
		Sources: sources,
		Env:     &datasource.Env{Facts: &datasource.Facts{DMI: m.dmi, Cmdline: cmdline.Parse(m.line)}, Web: &web.Client{Try: time.Second}},
		Cache:   m.cache,
		Check: func(d *datasource.Data) error {
			for _, p := range d.Parts.User {
				if strings.Contains(string(p.Text), m.bad) {
					return errors.New(p.Origin + ":2:1: a mistake")
				}
			}
			return nil
		},
		LinkLocal: func() (func(), error) { return func() { m.undos++ }, nil },
		Local:     2 * time.Second, Remote: 5 * time.Second,
	})
}

func (m *machine) boot(sources ...datasource.Source) Found {
	return m.finder(sources...).AtBoot(m.t.Context())
}

func instance(f Found) string {
	if f.Data == nil {
		return ""
	}
	return f.Data.Meta.InstanceID
}

func TestBootAfterBoot(t *testing.T) {
	good, bad := data("one", "#cloud-config\na: good"), data("two", "#cloud-config\na: bad")
	partial := data("two", "#cloud-config\na: new")
	partial.Partial = true
	local := func(d *datasource.Data, err error) source {
		return source{name: "nocloud", there: true, data: d, err: err}
	}
	for _, test := range []struct {
		name          string
		first, second source
		want          string
		kept          bool
		problem       string
		instead       string
	}{
		{"gone at the second boot: the kept copy counts", local(good, nil), source{name: "nocloud"}, "one", true, "", ""},
		{"bad at the second boot: the kept copy counts, its instance too", local(good, nil), local(bad, nil), "one", true, "seed user-data:2:1: a mistake", "seed is refused, its last good content is used"},
		{"unreadable at the second boot", local(good, nil), local(nil, errors.New("I/O error")), "one", true, "datasource nocloud: I/O error", ""},
		{"read in part at the second boot", local(good, nil), local(partial, errors.New("I/O error")), "one", true, "datasource nocloud: I/O error", ""},
		{"bad from the start: its meta-data count", source{name: "nocloud"}, local(bad, nil), "two", false, "a mistake", "user-data is refused, and no last good content is there"},
		{"new and good", local(good, nil), local(data("two", "#cloud-config\na: new"), nil), "two", false, "", ""},
		{"nothing, ever", source{name: "nocloud"}, source{name: "nocloud"}, "", false, "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := newMachine(t)
			m.boot(test.first)
			f := m.boot(test.second)
			if instance(f) != test.want || f.Kept != test.kept || f.Pending != "" {
				t.Errorf("got %q, kept %v, pending %q", instance(f), f.Kept, f.Pending)
			}
			var all []string
			for _, p := range f.Problems {
				all = append(all, p.Error())
			}
			if f.Refused != nil {
				all = append(all, f.Refused.Error())
			}
			if s := strings.Join(all, "\n"); !strings.Contains(s, test.problem) || (s == "") != (test.problem == "") {
				t.Errorf("problems: got %q, want %q", s, test.problem)
			}
			if !strings.Contains(f.Instead, test.instead) || (f.Instead == "") != (test.instead == "") {
				t.Errorf("instead: got %q, want %q", f.Instead, test.instead)
			}
		})
	}
}

func TestACloudAnswersWhenThereIsANetwork(t *testing.T) {
	m := newMachine(t)
	calls, ready := 0, 0
	cloud := source{name: "ec2", there: true, needs: datasource.Network, data: data("i-1", "#cloud-config\na: one"), calls: &calls, ready: &ready}
	f := m.finder(cloud)

	found := f.AtBoot(t.Context())
	if calls != 0 || found.Data != nil || found.Pending != "asking ec2 over the network" {
		t.Fatalf("at boot: %d calls, %+v", calls, found)
	}
	var told []Found
	if err := f.Later(t.Context(), func(f Found) { told = append(told, f) }); err != nil {
		t.Fatal(err)
	}
	if len(told) != 1 || instance(told[0]) != "i-1" || told[0].Kept || told[0].Pending != "" || ready != 1 {
		t.Fatalf("later: %+v, %d reports", told, ready)
	}
	if r := f.Current().Report; r.Used != "seed" || r.Instance != "i-1" || r.Sources[0].State != "used" {
		t.Errorf("report: %+v", r)
	}

	// The second boot has the kept copy at once, and asks all the same.
	f = m.finder(cloud)
	if found = f.AtBoot(t.Context()); instance(found) != "i-1" || !found.Kept || found.Pending == "" {
		t.Fatalf("second boot: %+v", found)
	}
	told = nil
	if err := f.Later(t.Context(), func(f Found) { told = append(told, f) }); err != nil || len(told) != 1 {
		t.Fatalf("that the copy is still good is told once: %+v, %v", told, err)
	}
	if told[0].Kept || !told[0].Data.Same(found.Data) {
		t.Errorf("the answer is the same as the copy: %+v", told[0])
	}

	// The third boot is without the cloud: the copy counts, and asking goes on.
	broken := source{name: "ec2", there: true, needs: datasource.Network, err: errors.New("no route")}
	f = m.finder(broken)
	if found = f.AtBoot(t.Context()); instance(found) != "i-1" || !found.Kept {
		t.Fatalf("third boot: %+v", found)
	}
	ctx, cancel := context.WithCancel(t.Context())
	told = nil
	err := f.Later(ctx, func(f Found) { told = append(told, f); cancel() })
	if !errors.Is(err, context.Canceled) || len(told) != 1 || instance(told[0]) != "i-1" || !strings.Contains(told[0].Pending, "asking ec2 again, next try in 15s") {
		t.Errorf("without the cloud: %+v, %v", told, err)
	}
	if p := told[0].Problems; len(p) != 1 || p[0].Error() != "datasource ec2: no route" {
		t.Errorf("problems: %v", p)
	}
}

func TestADiskInAnotherMachineIsNotTheFirstOnesTwin(t *testing.T) {
	m := newMachine(t)
	cloud := source{name: "ec2", there: true, needs: datasource.Network, data: data("i-1", "#cloud-config\na: one")}
	f := m.finder(cloud)
	f.AtBoot(t.Context())
	if err := f.Later(t.Context(), func(Found) {}); err != nil {
		t.Fatal(err)
	}
	m.dmi.ProductUUID = "two"
	found := m.finder(cloud).AtBoot(t.Context())
	if found.Data != nil || len(found.Problems) != 1 || !strings.Contains(found.Problems[0].Error(), "is of another machine and is not used") {
		t.Errorf("with a source to ask: %+v", found)
	}
	if found = m.boot(); instance(found) != "i-1" || !found.Kept {
		t.Errorf("nobody else to ask: %+v", found)
	}
}

func TestALocalSourceComesBeforeACloud(t *testing.T) {
	m := newMachine(t)
	calls := 0
	f := m.finder(source{name: "nocloud", there: true, data: data("seed", "")}, source{name: "ec2", there: true, needs: datasource.Network, calls: &calls})
	if found := f.AtBoot(t.Context()); instance(found) != "seed" || found.Pending != "" {
		t.Errorf("got %+v", found)
	}
	if err := f.Later(t.Context(), func(Found) { t.Error("something changed") }); err != nil || calls != 0 {
		t.Errorf("the cloud was asked %d times, %v", calls, err)
	}
	rows := f.Current().Report.Sources
	if rows[0].State != "used" || rows[1].State != "asked" || rows[1].Result != datasource.ResultUnneeded {
		t.Errorf("got %+v", rows)
	}
}

func TestNoneMeansNone(t *testing.T) {
	m := newMachine(t)
	m.boot(source{name: "nocloud", there: true, data: data("seed", "")})
	m.line = "testudo.datasource=none"
	found := m.boot(source{name: "nocloud", there: true, data: data("seed", "")})
	if found.Data != nil || found.Report.Sources[0].Reason != "kernel argument testudo.datasource wants none" {
		t.Errorf("got %+v", found)
	}
}

func TestIncludesWaitForANetworkAndAreKept(t *testing.T) {
	page := "#cloud-config\na: included"
	status := 200
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, page)
	}))
	defer server.Close()
	m := newMachine(t)
	seed := source{name: "nocloud", there: true, data: data("seed", "#include\n"+server.URL+"/x\n")}
	f := m.finder(seed)
	found := f.AtBoot(t.Context())
	if instance(found) != "seed" || found.Data.Parts != nil || !strings.Contains(found.Pending, "includes of seed") {
		t.Fatalf("at boot: %+v", found)
	}
	told := 0
	if err := f.Later(t.Context(), func(f Found) {
		told++
		found = f
	}); err != nil || told != 1 || len(found.Data.Parts.User) != 1 || string(found.Data.Parts.User[0].Text) != page {
		t.Fatalf("later: %+v, %v", found, err)
	}
	status = 404
	if found = m.boot(seed); found.Data == nil || found.Data.Parts == nil || found.Pending != "" || found.Kept {
		t.Errorf("the second boot needs no network: %+v", found)
	}
	other := source{name: "nocloud", there: true, data: data("seed", "#include\n"+server.URL+"/y\n")}
	f = m.finder(other)
	if found = f.AtBoot(t.Context()); found.Pending == "" {
		t.Errorf("other includes are taken from the kept copy: %+v", found)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if err := f.Later(ctx, func(f Found) { found = f; cancel() }); !errors.Is(err, context.Canceled) || len(found.Problems) != 1 || !strings.Contains(found.Problems[0].Error(), "404") {
		t.Errorf("an include that is not there: %+v, %v", found, err)
	}
}

func TestBadVendorDataAreLeftOut(t *testing.T) {
	m := newMachine(t)
	d := data("i", "#cloud-config\na: one")
	d.VendorData = []byte("what is this?")
	found := m.boot(source{name: "nocloud", there: true, data: d})
	if found.Refused != nil || found.Data.Parts == nil || !strings.Contains(found.Data.Parts.NoVendor, "vendor-data are left out") {
		t.Errorf("got %+v", found)
	}
}

func TestALinkLocalAddressIsGivenBack(t *testing.T) {
	m := newMachine(t)
	f := m.finder(source{name: "digitalocean", there: true, needs: datasource.LinkLocal, data: data("1", "")})
	f.AtBoot(t.Context())
	if err := f.Later(t.Context(), func(Found) {}); err != nil || m.undos != 1 {
		t.Errorf("%d times, %v", m.undos, err)
	}
}

func TestTheStatedBoundsHold(t *testing.T) {
	// docs/datasources.md says these figures.
	if LocalBound != 10*time.Second || RemoteBound != 2*time.Minute {
		t.Errorf("%v, %v", LocalBound, RemoteBound)
	}
}
