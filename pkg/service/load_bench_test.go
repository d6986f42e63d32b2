package service

import (
	"fmt"
	"os"
	"testing"
)

// What rosd reads at each start.
func BenchmarkLoadTheServicesOfTheOS(b *testing.B) {
	for b.Loop() {
		if set := Load(Options{}, Source{Dir: Dir{Path: "/s", FS: os.DirFS("../../services")}}); len(set.Problems) > 0 {
			b.Fatal(set.Problems)
		}
	}
}

func BenchmarkLoad200Overridden(b *testing.B) {
	base, over := map[string]string{}, map[string]string{}
	for i := range 200 {
		name := fmt.Sprintf("s%d", i)
		base[name+".yaml"] = fmt.Sprintf("services: {%s: {image: i, environment: {A: 1}, volumes: [/a:/b], depends_on: [s0], cap_drop: [ALL], restart: always}}", name)
		over[name+".yaml"] = fmt.Sprintf("services: {%s: {mem_limit: 5m, environment: [B=2]}}", name)
	}
	delete(base, "s0.yaml")
	base["s0.yaml"] = "services: {s0: {image: i}}"
	one, two := files("/sys", base), files("/user", over)
	for b.Loop() {
		if set := Load(Options{}, one, two); len(set.Problems) > 0 {
			b.Fatal(set.Problems)
		}
	}
}
