package adminui

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"github.com/seed58c87869/siren/server"
	"github.com/seed58c87869/siren/server/servertest"
)

// told is one event that a UI gets: its name, and the shapes of its arguments.
type told struct {
	name string
	args any
}

// golden reads what the reference's server sent to a UI in a scenario, captured from version 0.5.1 of its package.
func golden(t *testing.T, scenario string) (all []told, refusal string) {
	t.Helper()
	file, err := os.Open("testdata/frames.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var f struct{ Scenario, Dir, Frame string }
		if err := json.Unmarshal(lines.Bytes(), &f); err != nil {
			t.Fatal(err)
		}
		if f.Scenario != scenario || f.Dir != "s->c" {
			continue
		}
		if text, ok := strings.CutPrefix(f.Frame, "44/admin,"); ok {
			refusal = text
		}
		if text, ok := strings.CutPrefix(f.Frame, "42/admin,"); ok {
			var values []any
			if err := json.Unmarshal([]byte(text), &values); err != nil {
				t.Fatal(err)
			}
			all = append(all, told{values[0].(string), shape(values[1:], "")})
		}
	}
	if len(all) == 0 && refusal == "" {
		t.Fatalf("no frames of %s", scenario)
	}
	return all, refusal
}

// shape is a value with what differs from run to run replaced by its type. Lists of things of one kind, and objects
// whose names are data, become the shape of one of their members.
func shape(v any, name string) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for key, member := range v {
			out[key] = shape(member, key)
		}
		switch name {
		case "headers", "query":
			return "object of texts"
		case "aggregatedEvents":
			delete(out, "subType")
		}
		return out
	case []any:
		if name == "supportedFeatures" {
			return v
		}
		out := []any{}
		for _, member := range v {
			if s := shape(member, name); name == "" || !slices.ContainsFunc(out, func(o any) bool { return reflect.DeepEqual(o, s) }) {
				out = append(out, s)
			}
		}
		if name == "aggregatedEvents" && len(out) == 0 {
			return []any{map[string]any{"timestamp": "number", "type": "text", "count": "number"}}
		}
		return out
	case string:
		return "text"
	case float64:
		return "number"
	}
	return v
}

// heard are the events that a UI got, in the same form.
func heard(t *testing.T, c *servertest.Client) (all []told) {
	t.Helper()
	for _, e := range c.Events() {
		args := make([]any, len(e.Args))
		for i, raw := range e.Args {
			if err := json.Unmarshal(raw.JSON, &args[i]); err != nil {
				t.Fatal(err)
			}
		}
		all = append(all, told{e.Name, shape(args, "")})
	}
	return all
}

// without leaves out events.
func without(all []told, names ...string) []told {
	return slices.DeleteFunc(slices.Clone(all), func(e told) bool { return slices.Contains(names, e.name) })
}

func same(t *testing.T, what string, got, want []told) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		var g, w told
		if i < len(got) {
			g = got[i]
		}
		if i < len(want) {
			w = want[i]
		}
		if !reflect.DeepEqual(g, w) {
			t.Errorf("%s, event %d:\n got %s %v\nwant %s %v", what, i, g.name, g.args, w.name, w.args)
		}
	}
}

// kit is a server with a UI whose seconds are those of the test.
type kit struct {
	*servertest.Server
	t  *testing.T
	ui *UI
}

// hash is that of the password "changeit", at the least cost.
var hash = func() string {
	h, err := bcrypt.GenerateFromPassword([]byte("changeit"), bcrypt.MinCost)
	if err != nil {
		panic(err)
	}
	return string(h)
}()

func start(t *testing.T, o Options) *kit {
	t.Helper()
	ts := servertest.New(t, server.Config{})
	o.manual = true
	ui, err := Instrument(ts.Server, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(ui.Close)
	return &kit{ts, t, ui}
}

var score = server.NewKey[map[string]any]("user", server.Shared())

// TestGolden holds what a UI gets to what the reference's server sends, event by event.
func TestGolden(t *testing.T) {
	k := start(t, Options{Anonymous: true, Mode: Development})
	ns := k.Of("/")
	k.Of("/chat")
	ns.On("hi", func(_ context.Context, m *server.Message) { _ = m.Socket().Emit("reply", map[string]int{"n": 1}) })
	admin := k.Connect("/admin", nil)
	client := k.Client(servertest.Transport(server.Polling))
	id, s := client.ID(), client.Socket()
	score.Set(s, map[string]any{"name": "bob"})
	k.tick()
	must(t, s.Join("room1"))
	k.Settle()
	if !client.Upgrade() {
		t.Fatal("no upgrade")
	}
	k.tick()
	client.Emit("hi", map[string]int{"n": 1})
	score.Set(s, map[string]any{"name": "bob", "score": 5})
	k.during(k.ui.feed.scan)
	must(t, s.Join("r2"))
	k.Settle()
	must(t, s.Leave("r2"))
	k.Settle()
	admin.Emit("emit", "/", id, "from-admin", map[string]int{"a": 1})
	admin.Emit("emit", "/", nil, "from-admin-all")
	admin.Emit("join", "/", "admin-room", id)
	admin.Emit("leave", "/", "admin-room", "room1")
	admin.Emit("_disconnect", "/", false, id)
	k.tick()
	k.tick()

	want, _ := golden(t, "development-noauth")
	got := heard(t, admin)
	// Data is told under the names of shared keys, so its members differ; and the numbers come at other times.
	for _, all := range [][]told{want, got} {
		for _, e := range all {
			if args := e.args.([]any); e.name == "socket_updated" {
				if about := args[0].(map[string]any); about["data"] != nil {
					about["data"] = "an object"
				}
			}
		}
	}
	same(t, "development", without(got, "server_stats"), without(want, "server_stats"))
	compareStats(t, got, want)

	for _, e := range client.Events() {
		if want := map[string]bool{"reply": true, "from-admin": true, "from-admin-all": true}; !want[e.Name] {
			t.Errorf("the client got %v", e)
		}
	}
	if client.DisconnectReason() != "io server disconnect" {
		t.Errorf("the client ended with %q", client.DisconnectReason())
	}
}

// compareStats compares the numbers.
func compareStats(t *testing.T, got, want []told) {
	t.Helper()
	only := func(all []told) []told {
		return slices.DeleteFunc(slices.Clone(all), func(e told) bool { return e.name != "server_stats" })
	}
	g, w := only(got), only(want)
	if len(g) < 2 || len(w) == 0 {
		t.Fatalf("%d and %d server_stats", len(g), len(w))
	}
	for _, one := range g {
		same(t, "server_stats", []told{one}, w[:1])
	}
}

// TestGoldenOthers are the scenarios in which no client connects.
func TestGoldenOthers(t *testing.T) {
	for _, c := range []struct {
		scenario string
		options  Options
		auth     any
	}{
		{"production-noauth", Options{Anonymous: true}, map[string]any{}},
		{"readonly-development", Options{Anonymous: true, Mode: Development, ReadOnly: true}, map[string]any{}},
		{"basic-auth-bad", Options{}, map[string]any{"username": "admin", "password": "nope"}},
		{"basic-auth-missing", Options{}, map[string]any{}},
		{"basic-auth-good", Options{}, map[string]any{"username": "admin", "password": "changeit"}},
		{"session-id-good", Options{}, map[string]any{"sessionId": "a657f6b79c3b6f7f"}},
		{"session-id-bad", Options{}, map[string]any{"sessionId": "deadbeef"}},
	} {
		t.Run(c.scenario, func(t *testing.T) {
			if !c.options.Anonymous {
				c.options.Username, c.options.PasswordBcrypt = "admin", hash
				store := newMemoryStore(sessionTimeDefault)
				must(t, store.Save(t.Context(), "a657f6b79c3b6f7f"))
				c.options.Store = store
			}
			k := start(t, c.options)
			k.Of("/")
			k.Of("/chat")
			want, refusal := golden(t, c.scenario)
			admin := k.Client(servertest.Namespace("/admin"), servertest.Auth(c.auth))
			if refusal != "" {
				r := admin.Refused()
				if r == nil || fmt.Sprintf(`{"message":%q}`, r.Message) != refusal || len(r.Data.JSON) > 0 {
					t.Errorf("refused with %+v, want %s", r, refusal)
				}
				return
			}
			if r := admin.Refused(); r != nil {
				t.Fatalf("refused: %+v", r)
			}
			k.tick()
			k.tick()
			got := heard(t, admin)
			same(t, c.scenario, without(got, "server_stats"), without(want, "server_stats"))
			if c.options.Anonymous && !c.options.ReadOnly {
				compareStats(t, got, want)
			}
		})
	}
}

func TestShape(t *testing.T) {
	a := shape([]any{map[string]any{"headers": map[string]any{"a": "b"}, "n": 1.0}}, "")
	b := shape([]any{map[string]any{"headers": map[string]any{}, "n": 2.0}}, "")
	c := shape([]any{map[string]any{"headers": map[string]any{}}}, "")
	if !reflect.DeepEqual(a, b) || reflect.DeepEqual(a, c) {
		t.Error(a, b, c)
	}
	if names := slices.Sorted(maps.Keys(a.([]any)[0].(map[string]any))); !slices.Equal(names, []string{"headers", "n"}) {
		t.Error(names)
	}
}
