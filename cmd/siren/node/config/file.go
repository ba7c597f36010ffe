package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

const (
	// fileBytesMax bounds the file: a thousand rules take 100 KB.
	fileBytesMax = 1 << 20
	// nodesMax bounds what is read of it: aliases can make a small file stand for a large one.
	nodesMax = 200_000
)

// reader reads YAML into a configuration and collects what is wrong.
type reader struct {
	cfg  *Config
	from map[string]place
	// bad are the keys whose value could not be read, or is wrong: other keys are not compared with it.
	bad      map[string]bool
	problems Problems
	// base is where the YAML comes from; a file's lines are filled in.
	base  place
	nodes int
}

func newReader(cfg *Config) *reader {
	return &reader{cfg: cfg, from: map[string]place{}, bad: map[string]bool{}}
}

// readFile reads the whole file.
func (r *reader) readFile(path string) {
	r.base = place{file: path}
	text, err := readBounded(path, fileBytesMax)
	if err != nil {
		r.problems = append(r.problems, Problem{Message: err.Error()})
		return
	}
	r.readDocument(text)
}

// readBounded reads a file of at most limit bytes, which may be a pipe or a device.
func readBounded(path string, limit int) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, int64(limit)+1))
	if err != nil {
		return nil, err
	}
	if len(text) > limit {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, limit)
	}
	return text, nil
}

// readDocument reads a YAML document with the keys of the root.
func (r *reader) readDocument(text []byte) {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var doc, more yaml.Node
	switch err := decoder.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return // nothing but comments
	case err != nil:
		r.syntax(err)
		return
	}
	if err := decoder.Decode(&more); err == nil {
		r.add(&more, "", "a second document begins here; the configuration is one document")
	} else if !errors.Is(err, io.EOF) {
		r.syntax(err)
	}
	if len(doc.Content) == 1 {
		r.section(theSchema().root, doc.Content[0])
	}
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)`)

// syntax enters an error of the YAML parser, which tells the line in its text.
func (r *reader) syntax(err error) {
	p := r.base.problem("", "not YAML: "+err.Error())
	if m := yamlLine.FindStringSubmatch(err.Error()); m != nil {
		if r.base.file != "" {
			p.Line = 1
			if n, err := strconv.Atoi(m[1]); err == nil {
				p.Line = n
			}
		}
		p.Message = "not YAML: " + m[2]
	}
	r.problems = append(r.problems, p)
}

// at is where a node stands.
func (r *reader) at(n *yaml.Node) place {
	p := r.base
	if p.file != "" {
		p.line = n.Line
	}
	return p
}

func (r *reader) add(n *yaml.Node, key, format string, args ...any) {
	r.problems = append(r.problems, r.at(n).problem(key, fmt.Sprintf(format, args...)))
}

// fail is add for the value of a key.
func (r *reader) fail(n *yaml.Node, key, format string, args ...any) {
	r.bad[key] = true
	r.add(n, key, format, args...)
}

// follow returns what an alias stands for, or n itself. It is false when the file stands for too much.
func (r *reader) follow(n *yaml.Node) (*yaml.Node, bool) {
	r.nodes++
	if r.nodes == nodesMax {
		r.add(n, "", "more than %d values", nodesMax)
	}
	for range 10 {
		if n.Kind != yaml.AliasNode || n.Alias == nil {
			break
		}
		n = n.Alias
	}
	return n, r.nodes < nodesMax
}

// entries walks a mapping: fn gets each key once. It is false for anything else.
func (r *reader) entries(n *yaml.Node, name string, fn func(key string, at, value *yaml.Node)) bool {
	if n.Kind != yaml.MappingNode {
		return false
	}
	lines := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		at, key := n.Content[i], n.Content[i].Value
		value, ok := r.follow(n.Content[i+1])
		full := joinKey(name, key)
		switch first := lines[key]; {
		case !ok:
			return true
		case at.Kind != yaml.ScalarNode:
			r.add(at, name, "has a key that is not text")
		case first > 0:
			r.add(at, full, "is there twice, first in line %d", first)
		default:
			lines[key] = at.Line
			fn(key, at, value)
		}
	}
	return true
}

func joinKey(section, key string) string {
	if section == "" {
		return key
	}
	return section + "." + key
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// section reads the keys of a section. A section without anything, as its keys were made comments, is left out.
func (r *reader) section(sec *Section, n *yaml.Node) {
	if isNull(n) {
		return
	}
	ok := r.entries(n, sec.Name, func(key string, at, value *yaml.Node) {
		full := joinKey(sec.Name, key)
		switch {
		case sec.keys[key] != nil:
			r.value(sec.keys[key], at, value)
		case sec.sections[key] != nil:
			r.section(sec.sections[key], value)
		case key == "<<":
			r.add(at, full, "merge keys are not supported; aliases of whole values are")
		case full == "tls":
			r.add(at, full, notYet)
		default:
			r.add(at, full, "unknown key; did you mean %s?", theSchema().nearest(sec, key))
		}
	})
	if !ok {
		r.add(n, sec.Name, "must be a mapping with the keys %s", strings.Join(sec.order, ", "))
	}
}

// value reads the value of a key.
func (r *reader) value(k *Key, at, n *yaml.Node) {
	r.from[k.Name] = r.at(at)
	field := k.in(r.cfg)
	switch k.kind {
	case list:
		r.list(k, k.Name, field, n)
	case rules:
		r.rules(k, n)
	default:
		r.scalar(k, k.Name, field, n)
	}
}

// scalar reads one value.
func (r *reader) scalar(k *Key, name string, field reflect.Value, n *yaml.Node) {
	if fault := k.shape(n); fault != "" {
		r.fail(n, name, "%s", fault)
		return
	}
	if err := k.setText(field, n.Value); err != nil {
		r.fail(n, name, "%s", err)
	}
}

// shape says what is wrong with a node that cannot have a value of the key's kind, or "".
func (k *Key) shape(n *yaml.Node) string {
	if n.Kind != yaml.ScalarNode {
		return "must be " + k.kindName()
	}
	tag := n.ShortTag()
	if tag == "!!null" {
		return "has no value; leave it out for the default"
	}
	switch k.kind {
	case toggle:
		if tag != "!!bool" {
			return fmt.Sprintf("must be true or false, not %q", n.Value)
		}
	case whole:
		if tag != "!!int" {
			return fmt.Sprintf("must be a whole number%s, not %q", k.between(), n.Value)
		}
	case duration:
		if tag != "!!str" && n.Value != "0" {
			return fmt.Sprintf("must be a duration such as 500ms, 25s or 2m, not %q", n.Value)
		}
	default:
		if tag != "!!str" {
			return "must be text; put it in quotes"
		}
	}
	return ""
}

// kindName says what a value of the key is.
func (k *Key) kindName() string {
	switch k.kind {
	case toggle:
		return "true or false"
	case whole:
		return "a whole number" + k.between()
	case duration:
		return "a duration such as 500ms, 25s or 2m"
	case list, rules:
		return "a list"
	}
	if len(k.enum) > 0 {
		return "one of " + strings.Join(k.enum, ", ")
	}
	return "text"
}

// list reads a list of texts.
func (r *reader) list(k *Key, name string, field reflect.Value, n *yaml.Node) {
	if n.Kind != yaml.SequenceNode {
		fault := "must be a list"
		if n.Kind == yaml.ScalarNode && !isNull(n) && !k.secret {
			fault += fmt.Sprintf(": [%s]", quote(n.Value))
		}
		r.fail(n, name, "%s", fault)
		return
	}
	items, wrong := make([]string, 0, len(n.Content)), 0
	item := &Key{kind: text}
	for i, c := range n.Content {
		c, ok := r.follow(c)
		if !ok {
			return
		}
		if fault := item.shape(c); fault != "" {
			r.fail(c, fmt.Sprintf("%s[%d]", name, i), "%s", fault)
			wrong++
		}
		items = append(items, c.Value)
	}
	if wrong > 0 {
		r.bad[name] = true
		return
	}
	for _, f := range k.setList(field, items) {
		r.bad[name] = true
		if f.item < 0 {
			r.add(n, name, "%s", f.message)
			continue
		}
		r.add(n.Content[f.item], fmt.Sprintf("%s[%d]", name, f.item), "%s", f.message)
	}
}

// rules reads the rules of namespaces.
func (r *reader) rules(k *Key, n *yaml.Node) {
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		r.fail(n, k.Name, "must be a list of at least one rule; leave it out for the default")
		return
	}
	all := make([]Namespace, 0, min(len(n.Content), nodesMax))
	for i, c := range n.Content {
		c, ok := r.follow(c)
		if !ok {
			return
		}
		name := fmt.Sprintf("%s[%d]", k.Name, i)
		r.from[name] = r.at(c)
		all = append(all, r.rule(k, name, c))
	}
	r.cfg.Namespaces = all
}

// rule reads one rule. What is left out of it allows nothing but rooms.
func (r *reader) rule(k *Key, name string, n *yaml.Node) Namespace {
	out := Namespace{Rooms: []string{"*"}}
	v := reflect.ValueOf(&out).Elem()
	ok := r.entries(n, name, func(key string, at, value *yaml.Node) {
		full := joinKey(name, key)
		i := slices.IndexFunc(k.items, func(item *Key) bool { return item.Name == key })
		if i < 0 {
			r.fail(at, full, "unknown key; did you mean %s?", nearestOf(key, itemNames(k)))
			return
		}
		r.from[full] = r.at(at)
		item := k.items[i]
		if item.kind == list {
			r.list(item, full, v.Field(item.index[0]), value)
			return
		}
		r.scalar(item, full, v.Field(item.index[0]), value)
	})
	if !ok {
		r.fail(n, name, "must be a mapping with the keys %s", strings.Join(itemNames(k), ", "))
	}
	return out
}

func itemNames(k *Key) []string {
	names := make([]string, len(k.items))
	for i, item := range k.items {
		names[i] = item.Name
	}
	return names
}
