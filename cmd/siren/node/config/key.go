package config

import (
	"reflect"
	"strings"
	"sync"
	"time"
)

// kind is the type of a key's value.
type kind uint8

const (
	text kind = iota
	toggle
	whole
	duration
	list
	secretFile
	rules // of namespaces
)

// Key is one key of the configuration, as the tags and comments of its field have it. Immutable.
type Key struct {
	// Name has dots between levels, as admin.listen.
	Name string
	// Doc is the comment of the field, in one line.
	Doc string
	// Flag is the flag of serve without dashes, or "".
	Flag string
	// Live tells that a reload changes it in a running node.
	Live bool
	// stays tells that a restart is needed to set or to unset it.
	stays bool

	negated, secret bool
	kind            kind
	rule, min, max  string
	off             string // the text of a flag that turns it off
	enum            []string
	index           []int
	items           []*Key // of a rule of namespaces
}

// Section is a group of keys. Immutable.
type Section struct {
	// Name has dots between levels; the name of the root is "".
	Name string
	// Doc is the comment of its field, in one line.
	Doc string
	// keys and sections are those directly in it, in the order of the struct; order has the names of both.
	keys     map[string]*Key
	sections map[string]*Section
	order    []string
}

// Env is the variable that sets the key.
func (k *Key) Env() string { return "SIREN_" + strings.ToUpper(strings.ReplaceAll(k.Name, ".", "__")) }

// in is the key's field in a configuration.
func (k *Key) in(c *Config) reflect.Value { return reflect.ValueOf(c).Elem().FieldByIndex(k.index) }

// last is the name without those of its sections.
func last(name string) string { return name[strings.LastIndexByte(name, '.')+1:] }

// schema is all that the struct says, made once.
type schema struct {
	root   *Section
	all    []*Key // in the order of the struct
	byName map[string]*Key
	byEnv  map[string]*Key
}

var theSchema = sync.OnceValue(func() *schema {
	s := &schema{byName: map[string]*Key{}, byEnv: map[string]*Key{}}
	s.root = s.section("", "", reflect.TypeFor[Config](), nil, comments())
	for _, k := range s.all {
		s.byName[k.Name] = k
		s.byEnv[k.Env()] = k
	}
	return s
})

// Keys are all keys, in the order of the struct. The list must not be changed.
func Keys() []*Key { return theSchema().all }

// section describes the fields of a struct and enters its keys.
func (s *schema) section(name, doc string, t reflect.Type, index []int, docs map[string]string) *Section {
	sec := &Section{Name: name, Doc: doc, keys: map[string]*Key{}, sections: map[string]*Section{}}
	for i := range t.NumField() {
		f := t.Field(i)
		own := f.Tag.Get("key")
		sec.order = append(sec.order, own)
		full := own
		if name != "" {
			full = name + "." + own
		}
		at := append(index[:len(index):len(index)], i)
		text := docs[t.Name()+"."+f.Name]
		if f.Type.Kind() == reflect.Struct && f.Type != reflect.TypeFor[SecretFile]() {
			sec.sections[own] = s.section(full, text, f.Type, at, docs)
			continue
		}
		k := newKey(full, text, f, at)
		if k.kind == rules {
			item := f.Type.Elem()
			for j := range item.NumField() {
				g := item.Field(j)
				k.items = append(k.items, newKey(g.Tag.Get("key"), docs[item.Name()+"."+g.Name], g, []int{j}))
			}
		}
		sec.keys[own] = k
		s.all = append(s.all, k)
	}
	return sec
}

func newKey(name, doc string, f reflect.StructField, index []int) *Key {
	flag, negated := strings.CutPrefix(f.Tag.Get("flag"), "!")
	k := &Key{
		Name: name, Doc: doc, Flag: flag, negated: negated, off: f.Tag.Get("off"), index: index,
		Live: f.Tag.Get("reload") != "", stays: f.Tag.Get("reload") == "set",
		secret: f.Tag.Get("secret") != "",
		rule:   f.Tag.Get("is"), min: f.Tag.Get("min"), max: f.Tag.Get("max"), kind: kindOf(f.Type),
	}
	if words := f.Tag.Get("enum"); words != "" {
		k.enum = strings.Split(words, ",")
	}
	if k.rule == "algorithm" {
		k.enum = algorithms
	}
	return k
}

func kindOf(t reflect.Type) kind {
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return duration
	case t == reflect.TypeFor[SecretFile]():
		return secretFile
	case t == reflect.TypeFor[[]string]():
		return list
	case t == reflect.TypeFor[[]Namespace]():
		return rules
	case t.Kind() == reflect.Bool:
		return toggle
	case t.Kind() == reflect.Int, t.Kind() == reflect.Int64:
		return whole
	}
	return text
}
