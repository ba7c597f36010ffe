package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// field is one named value of a scenario or a machine, by its JSON name.
type field struct{ Name, Value string }

// fieldsOf lists the fields of a struct as they stand in the file, so that
// nothing that a scenario gains is forgotten here. Absent and empty fields are
// left out; fields of inner objects get a dot in the name.
func fieldsOf(v any) []field {
	text, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	return appendFields(nil, "", decoder)
}

// appendFields reads one value, which is known to be valid.
func appendFields(fields []field, name string, decoder *json.Decoder) []field {
	token, err := decoder.Token()
	if err != nil {
		return fields
	}
	delim, nested := token.(json.Delim)
	if !nested {
		if token == nil || token == "" {
			return fields
		}
		return append(fields, field{name, fmt.Sprint(token)})
	}
	if delim == '[' {
		var items []field
		for decoder.More() {
			items = appendFields(items, "", decoder)
		}
		_, _ = decoder.Token() // the end of the array
		if len(items) == 0 {
			return fields
		}
		var values []string
		for _, item := range items {
			values = append(values, item.Value)
		}
		return append(fields, field{name, strings.Join(values, ", ")})
	}
	for decoder.More() {
		key, err := decoder.Token()
		if err != nil {
			return fields
		}
		inner := fmt.Sprint(key)
		if name != "" {
			inner = name + "." + inner
		}
		fields = appendFields(fields, inner, decoder)
	}
	_, _ = decoder.Token() // the end of the object
	return fields
}

// valueOf returns the value of a field, "" when it is absent.
func valueOf(fields []field, name string) string {
	for _, f := range fields {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

// without leaves out the fields with these names.
func without(fields []field, names ...string) []field {
	return slices.DeleteFunc(slices.Clone(fields), func(f field) bool { return slices.Contains(names, f.Name) })
}

// phrase puts fields into one line.
func phrase(fields []field) string {
	var parts []string
	for _, f := range fields {
		parts = append(parts, words(f.Name)+" "+f.Value)
	}
	return strings.Join(parts, ", ")
}

// words returns a JSON name for readers.
func words(name string) string {
	for suffix, unit := range map[string]string{"_us": " (us)", "_ms": " (ms)", "_bytes": " (bytes)", "_seconds": " (s)"} {
		if base, ok := strings.CutSuffix(name, suffix); ok {
			name = base + unit
			break
		}
	}
	return strings.NewReplacer("_", " ", ".", ": ").Replace(name)
}

// differences says in which fields two lists differ.
func differences(a, b []field) []string {
	var out []string
	for _, name := range union(a, b) {
		have, want := valueOf(a, name), valueOf(b, name)
		if have != want {
			out = append(out, fmt.Sprintf("%s is %s in A, %s in B", words(name), orNothing(have), orNothing(want)))
		}
	}
	return out
}

// union returns the names of both lists, each once.
func union(a, b []field) []string {
	var names []string
	for _, f := range slices.Concat(a, b) {
		if !slices.Contains(names, f.Name) {
			names = append(names, f.Name)
		}
	}
	return names
}

// orNothing shows an absent value.
func orNothing(value string) string {
	if value == "" {
		return "not set"
	}
	return value
}
