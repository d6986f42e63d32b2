package strictyaml

import (
	"encoding"
	"fmt"
	"reflect"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// Unmarshaler is a type with a grammar of its own. n is never an alias. What
// is wrong is told to d; there is nothing to return.
type Unmarshaler interface {
	UnmarshalStrict(d *Decoder, n *yaml.Node)
}

// Option changes what Decode accepts.
type Option func(*Decoder)

// ExtensionsAtTop lets keys that begin with x- stand at the top of a document.
func ExtensionsAtTop() Option { return func(d *Decoder) { d.extensions = extensionsAtTop } }

// ExtensionsEverywhere lets keys that begin with x- stand in every mapping
// that is decoded into a struct.
func ExtensionsEverywhere() Option { return func(d *Decoder) { d.extensions = extensionsEverywhere } }

// Documents takes any number of documents; out points to a slice then, one
// element each.
func Documents() Option { return func(d *Decoder) { d.documents = true } }

// At says where in a larger document the decoded nodes belong, for messages.
func At(path ...string) Option {
	return func(d *Decoder) { d.path = append(d.path, path...) }
}

// Origins gives nodes that come from other files than the decoder's own, for
// messages: text that is laid over other text keeps its place.
func Origins(of map[*yaml.Node]string) Option { return func(d *Decoder) { d.origins = of } }

const (
	extensionsNowhere = iota
	extensionsAtTop
	extensionsEverywhere
)

const (
	maxErrors = 100
	maxDepth  = 100
	// maxVisited bounds the values decoded, each alias counted as what it
	// stands for: a few lines of aliases of aliases expand to billions.
	maxVisited = 200_000
)

// Decoder carries the findings and the way to the present node. Unmarshalers
// get one; nobody else needs it.
type Decoder struct {
	file       string
	extensions int
	documents  bool
	origins    map[*yaml.Node]string

	path    []string
	base    int // length of path at the top of the document
	errors  Errors
	aliases map[*yaml.Node]bool // being followed: a second time is a circle
	visited int
	stopped bool // a bound was hit; no more findings

	oldBooleans bool
}

// Decode reads data, which people know as file, into out, a pointer. The error
// is of type Errors. An empty file leaves out as it was. With errors, whatever
// could be decoded is in out all the same.
func Decode(file string, data []byte, out any, opts ...Option) error {
	docs, err := Parse(file, data)
	if err != nil {
		return err
	}
	d := newDecoder(file, opts)
	if d.documents {
		slice := reflect.ValueOf(out).Elem()
		for _, doc := range docs {
			one := reflect.New(slice.Type().Elem())
			d.value(doc, one.Elem())
			slice.Set(reflect.Append(slice, one.Elem()))
		}
		return d.result()
	}
	if len(docs) > 1 {
		d.Errorf(docs[1], "a second document begins here, one is wanted")
	}
	if len(docs) > 0 {
		d.value(docs[0], reflect.ValueOf(out).Elem())
	}
	return d.result()
}

// DecodeNode is Decode for text that has been parsed already.
func DecodeNode(file string, n *yaml.Node, out any, opts ...Option) error {
	d := newDecoder(file, opts)
	d.value(n, reflect.ValueOf(out).Elem())
	return d.result()
}

func newDecoder(file string, opts []Option) *Decoder {
	d := &Decoder{file: file, aliases: map[*yaml.Node]bool{}}
	for _, o := range opts {
		o(d)
	}
	d.base = len(d.path)
	return d
}

func (d *Decoder) result() error {
	if len(d.errors) == 0 {
		return nil
	}
	return d.errors.Sort()
}

// Errorf reports a finding at n.
func (d *Decoder) Errorf(n *yaml.Node, format string, args ...any) {
	if d.stopped {
		return
	}
	message := fmt.Sprintf(format, args...)
	if len(d.errors) >= maxErrors {
		d.stopped = true
		message = fmt.Sprintf("more than %d errors; the rest is not shown", maxErrors)
	}
	d.errors = append(d.errors, Error{File: d.FileOf(n), Line: max(n.Line, 1), Column: max(n.Column, 1), Path: d.Path(), Message: message})
}

// Wrong reports that n is not what is wanted: "found the number 5, want ...".
func (d *Decoder) Wrong(n *yaml.Node, want string) {
	d.Errorf(n, "found %s, want %s", d.describe(n), want)
}

// Path is the way of keys to the present node.
func (d *Decoder) Path() string {
	var b strings.Builder
	for i, p := range d.path {
		if i > 0 && !strings.HasPrefix(p, "[") {
			b.WriteByte('.')
		}
		b.WriteString(p)
	}
	return b.String()
}

// File is the name under which people know the text.
func (d *Decoder) File() string { return d.file }

// FileOf is the file in which n stands: the decoder's own unless Origins says
// otherwise.
func (d *Decoder) FileOf(n *yaml.Node) string {
	if file, other := d.origins[n]; other {
		return file
	}
	return d.file
}

// OldBooleans lets yes, no, on and off be booleans in what f decodes: formats
// that are older than YAML 1.2 are full of them.
func (d *Decoder) OldBooleans(f func()) {
	before := d.oldBooleans
	d.oldBooleans = true
	f()
	d.oldBooleans = before
}

// Decode decodes n into out, a pointer, and says whether all was well.
func (d *Decoder) Decode(n *yaml.Node, out any) bool {
	before := len(d.errors)
	d.value(n, reflect.ValueOf(out).Elem())
	return len(d.errors) == before && !d.stopped
}

// DecodeAt is Decode one step down the path: a key, or "[3]" for an element.
func (d *Decoder) DecodeAt(step string, n *yaml.Node, out any) bool {
	ok := false
	d.in(step, func() { ok = d.Decode(n, out) })
	return ok
}

func (d *Decoder) in(step string, f func()) {
	d.path = append(d.path, step)
	f()
	d.path = d.path[:len(d.path)-1]
}

var (
	nodeType        = reflect.TypeFor[yaml.Node]()
	durationType    = reflect.TypeFor[time.Duration]()
	unmarshalerType = reflect.TypeFor[Unmarshaler]()
	textType        = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// value decodes n into v, which can be set.
func (d *Decoder) value(n *yaml.Node, v reflect.Value) {
	if d.stopped {
		return
	}
	if n.Kind == yaml.DocumentNode {
		if len(n.Content) == 1 {
			d.value(n.Content[0], v)
		}
		return
	}
	if len(d.path)-d.base > maxDepth {
		d.Errorf(n, "nested more than %d deep", maxDepth)
		d.stopped = true
		return
	}
	if !d.count(n) {
		return
	}
	if n.Kind == yaml.AliasNode {
		d.follow(n, func(target *yaml.Node) { d.value(target, v) })
		return
	}
	switch {
	case v.Type() == nodeType:
		v.Set(reflect.ValueOf(*n))
	case reflect.PointerTo(v.Type()).Implements(unmarshalerType):
		v.Addr().Interface().(Unmarshaler).UnmarshalStrict(d, n)
	case v.Type() == durationType:
		d.duration(n, v)
	case reflect.PointerTo(v.Type()).Implements(textType):
		d.text(n, v)
	default:
		d.kind(n, v)
	}
}

func (d *Decoder) kind(n *yaml.Node, v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if isNull(n) {
			return
		}
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		d.visited-- // counted when it came here
		d.value(n, v.Elem())
	case reflect.Struct:
		d.structure(n, v)
	case reflect.Map:
		d.mapping(n, v)
	case reflect.Slice:
		d.sequence(n, v)
	case reflect.Interface:
		if x, ok := d.generic(n); ok && x != nil {
			v.Set(reflect.ValueOf(x))
		}
	default:
		d.scalar(n, v)
	}
}

func (d *Decoder) sequence(n *yaml.Node, v reflect.Value) {
	if isNull(n) {
		return
	}
	elements, ok := d.Elements(n, "a list")
	if !ok {
		return
	}
	out := reflect.MakeSlice(v.Type(), len(elements), len(elements))
	for i, e := range elements {
		d.in(fmt.Sprintf("[%d]", i), func() { d.value(e, out.Index(i)) })
	}
	v.Set(out)
}

func (d *Decoder) mapping(n *yaml.Node, v reflect.Value) {
	if isNull(n) {
		return
	}
	if v.Type().Key().Kind() != reflect.String {
		d.Errorf(n, "strictyaml: cannot decode into %s: only string keys", v.Type())
		return
	}
	pairs, ok := d.Pairs(n)
	if !ok {
		return
	}
	if v.IsNil() {
		v.Set(reflect.MakeMapWithSize(v.Type(), len(pairs)))
	}
	for _, p := range pairs {
		d.element(p, v)
	}
}

// element decodes one pair into the map v.
func (d *Decoder) element(p Pair, v reflect.Value) {
	value := reflect.New(v.Type().Elem()).Elem()
	d.in(p.Name, func() { d.value(p.Value, value) })
	v.SetMapIndex(reflect.ValueOf(p.Name).Convert(v.Type().Key()), value)
}

// generic decodes into map[string]any, []any and scalars.
func (d *Decoder) generic(n *yaml.Node) (any, bool) {
	switch n.Kind {
	case yaml.MappingNode:
		m := map[string]any{}
		d.mapping(n, reflect.ValueOf(&m).Elem())
		return m, true
	case yaml.SequenceNode:
		s := []any{}
		d.sequence(n, reflect.ValueOf(&s).Elem())
		return s, true
	default:
		if n.ShortTag() == "!!timestamp" {
			return n.Value, true
		}
		var x any
		if err := n.Decode(&x); err != nil {
			d.Errorf(n, "%s", strings.TrimPrefix(err.Error(), "yaml: "))
			return nil, false
		}
		return x, true
	}
}
