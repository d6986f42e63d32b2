package service

import (
	"fmt"
	"slices"
	"strings"

	"github.com/testudo-os/testudo/pkg/strictyaml"
)

// Validate finds what is wrong between services: circles, and conditions that
// cannot come true. Such services go to Invalid. What depends on them stays:
// Plan lets it wait and say for what, or go on where the dependency is not
// required. A required dependency on a name that nobody declares is no reason
// to call a service invalid either, but a problem.
func (set *Set) Validate() {
	set.drop(set.circles())
	set.drop(set.conditions())
	set.checkUser()
	set.Problems = append(set.Problems, set.waitInVain()...)
	set.Problems = append(set.Problems, set.portClashes()...)
	slices.SortFunc(set.Invalid, func(a, b Invalid) int { return strings.Compare(a.Name, b.Name) })
}

// drop moves services to Invalid.
func (set *Set) drop(bad map[string]error) { set.Services = set.dropFrom(set.Services, bad) }

func (set *Set) dropFrom(services []Service, bad map[string]error) []Service {
	return slices.DeleteFunc(services, func(s Service) bool {
		err := bad[s.Name]
		if err != nil {
			set.Invalid = append(set.Invalid, Invalid{Name: s.Name, Source: s.Source, Err: err})
			set.Problems = append(set.Problems, err)
		}
		return err != nil
	})
}

func (set *Set) byName() map[string]Service {
	m := map[string]Service{}
	for _, s := range set.Services {
		m[s.Name] = s
	}
	return m
}

// circles finds services that wait for each other.
func (set *Set) circles() map[string]error {
	bad, byName := map[string]error{}, set.byName()
	const (
		onTheWay = 1
		done     = 2
	)
	state := map[string]int{}
	var way []string
	var visit func(name string)
	visit = func(name string) {
		state[name] = onTheWay
		way = append(way, name)
		for _, d := range byName[name].DependsOn {
			if _, declared := byName[d.Name]; !declared || state[d.Name] == done {
				continue
			}
			if state[d.Name] != onTheWay {
				visit(d.Name)
				continue
			}
			circle := way[slices.Index(way, d.Name):]
			for i, member := range circle {
				if bad[member] != nil {
					continue
				}
				// Drawn from the service it is told to.
				drawn := slices.Concat(circle[i:], circle[:i], []string{member})
				bad[member] = byName[member].at("depends_on", "a circle: %s", strings.Join(drawn, " -> "))
			}
		}
		way = way[:len(way)-1]
		state[name] = done
	}
	for _, s := range set.Services {
		if state[s.Name] == 0 {
			visit(s.Name)
		}
	}
	return bad
}

// conditions finds services whose dependencies can never be as they ask.
func (set *Set) conditions() map[string]error {
	bad, byName := map[string]error{}, set.byName()
	for _, s := range set.Services {
		for _, d := range s.DependsOn {
			target, declared := byName[d.Name]
			policy := target.Restart.Policy
			switch {
			case !declared:
			case d.Condition == Healthy && target.Healthcheck == nil:
				bad[s.Name] = s.at("depends_on."+d.Name, "service_healthy, but %s has no healthcheck", d.Name)
			case d.Condition == CompletedSuccessfully && (policy == "always" || policy == "unless-stopped"):
				bad[s.Name] = s.at("depends_on."+d.Name, "service_completed_successfully, but %s is restarted whenever it ends (restart: %s)", d.Name, policy)
			}
		}
	}
	return bad
}

// waitInVain tells of required dependencies that are not there.
func (set *Set) waitInVain() (problems []error) {
	byName := set.byName()
	absent := map[string]string{} // NAME: why it will not run
	for _, s := range set.Disabled {
		absent[s.Name] = "is disabled: " + s.Off
	}
	for _, i := range set.Invalid {
		absent[i.Name] = "is invalid"
	}
	for _, s := range set.User {
		absent[s.Name] = "is of scope user: services of the OS cannot wait for it"
	}
	for _, s := range set.Services {
		for _, d := range s.DependsOn {
			if _, declared := byName[d.Name]; declared || !d.Required {
				continue
			}
			why := absent[d.Name]
			if why == "" {
				why = "no service of that name is declared" + suggestService(d.Name, byName)
			}
			problems = append(problems, s.at("depends_on."+d.Name, "%s; %s waits for it", why, s.Name))
		}
	}
	return problems
}

// at reports at one of the service's keys.
func (s Service) at(key, format string, args ...any) error {
	place := s.Origins[key]
	return strictyaml.Error{File: place.File, Line: place.Line, Column: place.Column,
		Path: "services." + s.Name + "." + key, Message: fmt.Sprintf(format, args...)}
}

func suggestService(name string, byName map[string]Service) string {
	if near := strictyaml.Nearest(name, sortedKeys(byName)); near != "" {
		return fmt.Sprintf(" (did you mean %s?)", near)
	}
	return ""
}
