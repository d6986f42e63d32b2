package service

import (
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/testudo-os/testudo/pkg/strictyaml"
	"github.com/testudo-os/testudo/pkg/units"
)

// PullWhen is a kind of pull policy. The set is closed.
type PullWhen string

const (
	PullMissing PullWhen = ""       // when the image is not here: Compose's default
	PullNever   PullWhen = "never"  // it has to be here
	PullAlways  PullWhen = "always" // at each start that is not a restart by itself
	PullEvery   PullWhen = "every"  // as always, when it was fetched longer ago than Pull.Every
)

// Pull says when the image of a service is fetched from its registry.
type Pull struct {
	When  PullWhen
	Every time.Duration // of PullEvery
}

// justPulled: an image that was fetched so shortly ago is not asked for again,
// whatever the policy. `ros service up` fetches first and then starts.
const justPulled = time.Minute

// Due says whether an image is to be fetched now; fetched is when it was, zero
// when it is not here.
func (p Pull) Due(fetched, now time.Time) bool {
	switch age := now.Sub(fetched); {
	case p.When == PullNever:
		return false
	case fetched.IsZero():
		return true
	case p.When == PullAlways:
		return age >= justPulled || age < 0 // before the clock was set
	case p.When == PullEvery:
		return age >= p.Every || age < 0
	}
	return false
}

// pullPolicy is Compose's pull_policy.
type pullPolicy Pull

const pullWords = "always, missing, if_not_present, never, daily, weekly or every_DURATION such as every_12h"

const day = 24 * time.Hour

func (p *pullPolicy) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	var text string
	if !d.Decode(n, &text) {
		return
	}
	switch text {
	case "missing", "if_not_present":
		*p = pullPolicy{When: PullMissing}
	case "never":
		*p = pullPolicy{When: PullNever}
	case "always":
		*p = pullPolicy{When: PullAlways}
	case "daily":
		*p = pullPolicy{When: PullEvery, Every: day}
	case "weekly":
		*p = pullPolicy{When: PullEvery, Every: 7 * day}
	case "build":
		d.Errorf(n, "build: %s", noBuild)
	default:
		span, ok := strings.CutPrefix(text, "every_")
		every, err := units.Span(span)
		if !ok || err != nil || every == 0 {
			d.Wrong(n, pullWords)
			return
		}
		*p = pullPolicy{When: PullEvery, Every: every}
	}
}

func (*pullPolicy) schema(*schemaMaker) schema {
	return pattern("^(always|missing|if_not_present|never|daily|weekly|every_" + units.SpanPattern + ")$")
}
