package config

import (
	"fmt"
	"strings"

	"github.com/spf13/pflag"
)

// Flags are the flags of serve, one for a key. Used by one goroutine.
type Flags struct {
	// File is the value of --config.
	File   string
	values []*flagValue
}

// flagValue is the text of one flag, which is checked with the rest of the configuration.
type flagValue struct {
	key   *Key
	def   string
	texts []string
}

// AddFlags adds --config and the flags of all keys that have one.
func AddFlags(set *pflag.FlagSet) *Flags {
	f := &Flags{}
	set.StringVar(&f.File, "config", "", "file with the configuration, YAML (siren config init writes one)")
	def := Default()
	for _, k := range Keys() {
		if k.Flag == "" {
			continue
		}
		v := &flagValue{key: k, def: flagDefault(k, &def)}
		usage := k.Doc
		if k.negated {
			usage = k.off
		}
		added := set.VarPF(v, k.Flag, "", usage)
		if k.kind == list {
			added.DefValue = "[" + v.def + "]" // as pflag writes lists
		}
		if k.kind == toggle {
			added.NoOptDefVal = "true"
		}
		f.values = append(f.values, v)
	}
	return f
}

// flagDefault is what the help shows; nothing for lists without items, and flags that turn something on or off.
func flagDefault(k *Key, def *Config) string {
	switch v := k.in(def); k.kind {
	case toggle:
		return "false"
	case list:
		return strings.Join(v.Interface().([]string), ",")
	default:
		return fmt.Sprint(v.Interface())
	}
}

// String implements pflag.Value: it is the default in the help.
func (v *flagValue) String() string {
	if v == nil {
		return ""
	}
	return v.def
}

// Set implements pflag.Value. The last one counts, but for a list, which has all.
func (v *flagValue) Set(text string) error {
	if v.key.kind != list {
		v.texts = nil
	}
	v.texts = append(v.texts, text)
	return nil
}

// Type implements pflag.Value: it stands for the value in the help.
func (v *flagValue) Type() string {
	switch v.key.kind {
	case toggle:
		return "bool"
	case whole:
		return "int"
	case duration:
		return "duration"
	case list:
		return "stringArray"
	}
	return "string"
}

// Enums are the allowed values of the flags that have such, for completion.
func (f *Flags) Enums() map[string][]string {
	out := map[string][]string{}
	for _, v := range f.values {
		if len(v.key.enum) > 0 {
			out[v.key.Flag] = v.key.enum
		}
	}
	return out
}

// readFlags sets what was said on the command line.
func (r *reader) readFlags(f *Flags) {
	for _, v := range f.values {
		if v.texts == nil {
			continue
		}
		k := v.key
		r.base = place{origin: "--" + k.Flag}
		switch {
		case k.kind == list:
			r.items(k, k.in(r.cfg), v.texts)
		case k.negated:
			r.from[k.Name] = r.base
			on, err := parseToggle(v.texts[0])
			if err != nil {
				r.failText(k, err.Error())
				continue
			}
			k.in(r.cfg).SetBool(!on)
		default:
			r.text(k, v.texts[0])
		}
	}
}
