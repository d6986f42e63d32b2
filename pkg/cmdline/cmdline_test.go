package cmdline

import (
	"reflect"
	"testing"
)

func TestParse(t *testing.T) {
	tests := []struct {
		name, line string
		want       Args
	}{
		{"an empty line has no arguments", " \n", nil},
		{"words and values are told apart", "quiet panic=10 empty=\n", Args{{"quiet", "", false}, {"panic", "10", true}, {"empty", "", true}}},
		{"a quoted value keeps its spaces", `a.b="x y" c`, Args{{"a.b", "x y", true}, {"c", "", false}}},
		{"a quoted argument keeps its spaces", `"a.b=x y" c`, Args{{"a.b", "x y", true}, {"c", "", false}}},
		{"what follows -- is included", "a -- b", Args{{"a", "", false}, {"b", "", false}}},
		{"an unfinished quote reaches to the end", `a="x y`, Args{{"a", "x y", true}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Parse(tt.line); !reflect.DeepEqual(got, tt.want) {
				t.Fatalf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestLookup(t *testing.T) {
	a := Parse("x=1 x=2 on off=0 testudo.state.autoformat=TRUE i6300esb.heartbeat=30 dm-mod.a=b dm_mod.c modprobe.blacklist=a,b modprobe.blacklist=c")
	if v, ok := a.Get("x"); v != "2" || !ok {
		t.Errorf("the last value wins: got %q", v)
	}
	if _, ok := a.Get("y"); ok {
		t.Error("an absent key was found")
	}
	for key, want := range map[string]bool{"on": true, "off": false, "absent": false, "testudo.state.autoformat": true} {
		if a.Bool(key) != want {
			t.Errorf("Bool(%q) is not %v", key, want)
		}
	}
	if got := a.Module("dm_mod"); got != "a=b c" {
		t.Errorf("module parameters: got %q", got)
	}
	if got := a.List("modprobe.blacklist"); !reflect.DeepEqual(got, []string{"a", "b", "c"}) {
		t.Errorf("list: got %q", got)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`a="b c" d -- "e=f`)
	f.Fuzz(func(t *testing.T, line string) {
		for _, arg := range Parse(line) {
			if !arg.HasValue && arg.Value != "" {
				t.Fatalf("%q: value without '=': %+v", line, arg)
			}
		}
	})
}
