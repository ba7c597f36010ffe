package config

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

const envPrefix = "SIREN_"

// otherVariables have the prefix and are no keys: those of the command's clients.
var otherVariables = []string{"SIREN_API_KEY"}

// readEnviron sets what variables of the form NAME=value say. It returns the names that are no keys.
func (r *reader) readEnviron(environ []string) (unknown []string) {
	values := map[string]string{}
	for _, line := range environ {
		name, value, ok := strings.Cut(line, "=")
		if ok && strings.HasPrefix(name, envPrefix) && !slices.Contains(otherVariables, name) {
			values[name] = value
		}
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		k := theSchema().byEnv[name]
		if k == nil {
			unknown = append(unknown, name)
			continue
		}
		r.base = place{origin: name}
		r.text(k, values[name])
	}
	return unknown
}

// text sets a key from text: lists with commas between items, or in YAML with brackets.
func (r *reader) text(k *Key, value string) {
	field := k.in(r.cfg)
	bracket := strings.HasPrefix(strings.TrimSpace(value), "[")
	switch {
	case (k.kind == list || k.kind == rules) && bracket:
		var doc yaml.Node
		if err := yaml.Unmarshal([]byte(value), &doc); err != nil {
			r.bad[k.Name] = true
			r.syntax(err)
			return
		}
		r.value(k, doc.Content[0], doc.Content[0])
	case k.kind == rules:
		r.failText(k, `must be a list in brackets, as [{name: "/", publish: true}]`)
	case k.kind == list:
		var items []string
		if strings.TrimSpace(value) != "" {
			for item := range strings.SplitSeq(value, ",") {
				items = append(items, strings.TrimSpace(item))
			}
		}
		r.items(k, field, items)
	default:
		r.from[k.Name] = r.base
		if err := k.setText(field, value); err != nil {
			r.failText(k, err.Error())
		}
	}
}

// items sets a list from texts.
func (r *reader) items(k *Key, field reflect.Value, items []string) {
	r.from[k.Name] = r.base
	if items == nil {
		items = []string{}
	}
	for _, f := range k.setList(field, items) {
		if len(items) > 1 && f.item >= 0 {
			f.message = fmt.Sprintf("item %d: %s", f.item+1, f.message)
		}
		r.failText(k, f.message)
	}
}

func (r *reader) failText(k *Key, message string) {
	r.bad[k.Name] = true
	r.problems = append(r.problems, r.base.problem(k.Name, message))
}
