package config

import (
	"encoding/json"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Every field has a key and a text, and every rule that a tag names is there.
func TestTags(t *testing.T) {
	flags := map[string]bool{}
	def := Default()
	for _, k := range Keys() {
		if k.Doc == "" || !strings.HasSuffix(k.Doc, ".") {
			t.Errorf("%s: text %q", k.Name, k.Doc)
		}
		if k.rule != "" && textRules[k.rule] == nil && k.enum == nil {
			t.Errorf("%s: no rule %q", k.Name, k.rule)
		}
		if flags[k.Flag] && k.Flag != "" {
			t.Errorf("%s: flag %s is there twice", k.Name, k.Flag)
		}
		flags[k.Flag] = true
		if k.kind == list || k.kind == rules || k.kind == secretFile {
			continue
		}
		value := k.format(k.in(&def).Interface(), true)
		if strings.HasPrefix(value, `"`) {
			value = value[1 : len(value)-1]
		}
		if err := k.setText(k.in(&def), value); err != nil {
			t.Errorf("%s: its default %q %v", k.Name, value, err)
		}
	}
	if !reflect.DeepEqual(def, Default()) {
		t.Error("defaults do not survive being written and read")
	}
}

// The commented file has all keys, and means the defaults.
func TestSample(t *testing.T) {
	l, err := load(t, Sample(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	def := Default()
	for _, k := range Keys() {
		if !same(k.in(&l.Config).Interface(), k.in(&def).Interface()) {
			t.Errorf("%s is %v", k.Name, k.in(&l.Config))
		}
		if l.from[k.Name].line == 0 {
			t.Errorf("%s is not in the file", k.Name)
		}
	}
}

// The reference page is what the code says: run `siren config reference > docs/configuration.md` after a change.
func TestReferencePage(t *testing.T) {
	page, err := os.ReadFile("../../../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(page) != Reference() {
		t.Error("docs/configuration.md is not what `siren config reference` writes")
	}
	for _, k := range Keys() {
		if strings.Count(string(page), "| `"+k.Name+"` |") != 1 {
			t.Errorf("%s is not on the page once", k.Name)
		}
	}
}

// The schema has each key at its place, with the type that the loader takes.
func TestJSONSchema(t *testing.T) {
	var root map[string]any
	if err := json.Unmarshal(JSONSchema(), &root); err != nil {
		t.Fatal(err)
	}
	types := map[kind]string{
		text: "string", toggle: "boolean", whole: "integer", duration: "string", list: "array", secretFile: "string", rules: "array",
	}
	for _, k := range Keys() {
		node := root
		for name := range strings.SplitSeq(k.Name, ".") {
			properties, _ := node["properties"].(map[string]any)
			node, _ = properties[name].(map[string]any)
		}
		if node["type"] != types[k.kind] || node["description"] == "" {
			t.Errorf("%s: %v", k.Name, node)
		}
	}
	pattern := regexp.MustCompile(durationPattern)
	for value, ok := range map[string]bool{"25s": true, "1.5h30m": true, "0": true, "0s": true, "5": false, "-1s": false, "": false} {
		if pattern.MatchString(value) != ok {
			t.Errorf("the pattern of durations and %q", value)
		}
	}
}

func TestQuote(t *testing.T) {
	for in, want := range map[string]string{
		"a": "a", "/socket.io": "/socket.io", "": `""`, "yes": `"yes"`, "5": `"5"`, "tcp://:1": `"tcp://:1"`, "a b": `"a b"`, `"`: `"\""`,
	} {
		if got := quote(in); got != want {
			t.Errorf("%q: %s", in, got)
		}
	}
}

func TestReload(t *testing.T) {
	read := func(file string, args ...string) *Loaded {
		t.Helper()
		l, err := load(t, file, []string{"SIREN_LIMITS__ROOMS_PER_SOCKET=7"}, args)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	running := read("log: {level: warn}\nadmin: {api_keys: [a]}\n")
	next, change, err := running.Reload(read("log: {level: debug, format: json}\nadmin: {api_keys: [b]}\nlimits: {rooms_per_socket: 5}\nlisten: [':9']\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := Change{
		Changed: []string{"admin.api_keys", "log.level"}, Restart: []string{"listen", "log.format"},
		Overridden: []string{"limits.rooms_per_socket"},
	}
	if !reflect.DeepEqual(change, want) {
		t.Errorf("%+v", change)
	}
	c := next.Config
	if c.Log.Level != "debug" || c.Log.Format != "text" || !slices.Equal(c.Listen, Default().Listen) || c.Limits.RoomsPerSocket != 7 {
		t.Errorf("%+v", c)
	}
	// What needs a restart is named until then.
	if _, change, _ = next.Reload(read("log: {level: debug, format: json}\nadmin: {api_keys: [b]}\n")); !slices.Equal(change.Restart, []string{"log.format"}) {
		t.Errorf("%+v", change)
	}
	if _, change, _ = next.Reload(next); len(change.Changed)+len(change.Restart) != 0 {
		t.Errorf("%+v", change)
	}
}

// A certificate can change in a running node; whether there is one cannot.
func TestReloadCertificate(t *testing.T) {
	read := func(file string) *Loaded {
		t.Helper()
		l, err := load(t, file, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	const none, a, b = "node: x\n", "admin: {tls: {cert_file: a, key_file: a}}\n", "admin: {tls: {cert_file: b, key_file: b}}\n"
	both := []string{"admin.tls.cert_file", "admin.tls.key_file"}
	for _, c := range []struct {
		was, will, then  string
		changed, restart []string
	}{
		{a, b, "b", both, []string{}}, {"node: y\n", "node: y\n" + a, "", []string{}, both}, {a, none, "a", []string{}, append([]string{"node"}, both...)},
		{none, none + a, "", []string{}, both},
	} {
		next, change, err := read(c.was).Reload(read(c.will))
		if err != nil || !slices.Equal(change.Changed, c.changed) || !slices.Equal(change.Restart, c.restart) || next.Config.Admin.TLS.CertFile != c.then {
			t.Errorf("%q to %q: %+v, %q, %v", c.was, c.will, change, next.Config.Admin.TLS.CertFile, err)
		}
	}
}

// A new file that is right by itself must fit what cannot change: an open listener keeps needing a key.
func TestReloadChecksWhatStays(t *testing.T) {
	read := func(file string) *Loaded {
		t.Helper()
		l, err := load(t, file, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	running := read("admin: {listen: '0.0.0.0:3001', api_keys: [a]}")
	if _, _, err := running.Reload(read("node: x")); err == nil || !strings.Contains(err.Error(), "can be reached by others") {
		t.Errorf("an open listener without a key: %v", err)
	}
}
