package strictyaml

import (
	"encoding"
	"reflect"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// Text is a string that takes any scalar as it stands in the file: 0644 stays
// 0644 and true stays true. A plain string field wants text, so that a number
// without quotes is not silently rewritten.
type Text string

// UnmarshalStrict takes the scalar's own letters.
func (t *Text) UnmarshalStrict(d *Decoder, n *yaml.Node) {
	if n.Kind != yaml.ScalarNode || isNull(n) {
		d.Wrong(n, "a text or a number")
		return
	}
	*t = Text(n.Value)
}

func (d *Decoder) scalar(n *yaml.Node, v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		d.str(n, v)
	case reflect.Bool:
		d.boolean(n, v)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		var i int64
		if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!int" {
			d.Wrong(n, "a whole number")
		} else if err := n.Decode(&i); err != nil || v.OverflowInt(i) {
			d.Errorf(n, "found the number %s, which is too large or too small here", n.Value)
		} else {
			v.SetInt(i)
		}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		var u uint64
		if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!int" {
			d.Wrong(n, "a whole number, 0 or more")
		} else if err := n.Decode(&u); err != nil || v.OverflowUint(u) {
			d.Errorf(n, "found the number %s, which is too large or too small here", n.Value)
		} else {
			v.SetUint(u)
		}
	case reflect.Float32, reflect.Float64:
		var f float64
		tag := n.ShortTag()
		if n.Kind != yaml.ScalarNode || tag != "!!int" && tag != "!!float" || n.Decode(&f) != nil {
			d.Wrong(n, "a number")
		} else {
			v.SetFloat(f)
		}
	default:
		d.Errorf(n, "strictyaml: cannot decode into %s", v.Type())
	}
}

func (d *Decoder) str(n *yaml.Node, v reflect.Value) {
	switch {
	case n.Kind != yaml.ScalarNode || isNull(n):
		d.Wrong(n, "a text")
	case n.ShortTag() == "!!str", n.ShortTag() == "!!timestamp":
		v.SetString(n.Value)
	case n.ShortTag() == "!!int", n.ShortTag() == "!!float", n.ShortTag() == "!!bool":
		d.Wrong(n, "a text (put it in quotes)")
	case n.ShortTag() == "!!binary":
		var s string
		if err := n.Decode(&s); err != nil {
			d.Errorf(n, "found a binary value that is not base64")
			return
		}
		v.SetString(s)
	default:
		d.Wrong(n, "a text")
	}
}

func (d *Decoder) boolean(n *yaml.Node, v reflect.Value) {
	var b bool
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!bool" && n.Decode(&b) == nil {
		v.SetBool(b)
		return
	}
	want := "true or false"
	if n.Kind == yaml.ScalarNode && d.oldBooleans {
		switch strings.ToLower(n.Value) {
		case "yes", "on", "y":
			v.SetBool(true)
			return
		case "no", "off", "n":
			v.SetBool(false)
			return
		}
	}
	if n.Kind == yaml.ScalarNode {
		switch strings.ToLower(n.Value) {
		case "yes", "on", "y", "1":
			want = "true (YAML 1.2 knows true and false alone)"
		case "no", "off", "n", "0":
			want = "false (YAML 1.2 knows true and false alone)"
		}
	}
	d.Wrong(n, want)
}

func (d *Decoder) duration(n *yaml.Node, v reflect.Value) {
	const want = "a time with units such as 1m30s or 500ms"
	if n.Kind != yaml.ScalarNode || isNull(n) {
		d.Wrong(n, want)
		return
	}
	t, err := time.ParseDuration(n.Value)
	if err != nil {
		d.Wrong(n, want)
		return
	}
	v.SetInt(int64(t))
}

func (d *Decoder) text(n *yaml.Node, v reflect.Value) {
	if n.Kind != yaml.ScalarNode || isNull(n) {
		d.Wrong(n, "a text")
		return
	}
	if err := v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(n.Value)); err != nil {
		d.Errorf(n, "found %s: %v", d.describe(n), err)
	}
}
