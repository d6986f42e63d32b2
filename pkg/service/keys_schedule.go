package service

import (
	"github.com/robfig/cron/v3"
	"gopkg.in/yaml.v3"

	"github.com/testudo-os/testudo/pkg/strictyaml"
)

// scheduleYAML is x-ros.schedule: a line of crontab(5) or a mapping.
type scheduleYAML struct {
	Cron   cronLine `yaml:"cron"`
	Jitter duration `yaml:"jitter"`
	Missed missed   `yaml:"missed"`
}

type cronLine string

func (c *cronLine) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	var text string
	if !d.Decode(n, &text) {
		return
	}
	if _, err := cron.ParseStandard(text); err != nil {
		d.Errorf(n, "%v; want five fields as in crontab(5), such as \"30 3 * * *\", or @hourly, @daily, @weekly", err)
		return
	}
	*c = cronLine(text)
}

type missed string

func (m *missed) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	*m = missed(word(d, n, "skip", "once"))
}

func (y *scheduleYAML) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	if n.Kind == yaml.ScalarNode {
		d.Decode(n, &y.Cron)
		return
	}
	type mapping scheduleYAML // without this method
	d.Decode(n, (*mapping)(y))
}

func (y scheduleYAML) schedule() *Schedule {
	if y.Cron == "" {
		return nil
	}
	return &Schedule{Cron: string(y.Cron), Jitter: y.Jitter.std(), Once: y.Missed == "once"}
}

// check says what is wrong with a schedule beside the rest of a service.
func (y scheduleYAML) check(s Service) string {
	switch {
	case y == scheduleYAML{}:
		return ""
	case y.Cron == "":
		return "x-ros.schedule.cron is missing"
	case s.Ready != ReadyExit:
		return "x-ros.schedule: a job is ready when it is done: leave x-ros.ready out, or say exit"
	case s.Restart.Policy == "always" || s.Restart.Policy == "unless-stopped":
		return "x-ros.schedule is for a service that ends, and restart: " + s.Restart.Policy + " for one that does not; want no or on-failure"
	}
	return ""
}
