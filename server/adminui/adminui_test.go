package adminui

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed58c87869/siren/server"
	"github.com/seed58c87869/siren/server/servertest"
)

// names are the names of the events that a UI got since it was asked before, without the numbers.
func names(c *servertest.Client) (all []string) {
	for _, e := range c.Events() {
		if e.Name != "server_stats" {
			all = append(all, e.Name)
		}
	}
	return all
}

// find returns the arguments of the latest event of a name, as one JSON list; "" when there is none.
func find(events []servertest.Event, name string) string {
	for _, e := range slices.Backward(events) {
		if e.Name == name {
			var args []string
			for _, a := range e.Args {
				args = append(args, string(a.JSON))
			}
			return "[" + strings.Join(args, ",") + "]"
		}
	}
	return ""
}

func TestOptions(t *testing.T) {
	good := Options{Username: "admin", PasswordBcrypt: hash}
	for what, change := range map[string]func(o *Options){
		"Username":      func(o *Options) { o.Username = "" },
		"PasswordBcryp": func(o *Options) { o.PasswordBcrypt = "changeit" },
		"no bcrypt has": func(o *Options) { o.PasswordBcrypt = "" },
		"the cost 31":   func(o *Options) { o.PasswordBcrypt = strings.Replace(hash, "$04$", "$31$", 1) },
		"Anonymous":     func(o *Options) { o.Anonymous = true },
		"Mode":          func(o *Options) { o.Mode = "test" },
		"Namespace":     func(o *Options) { o.Namespace = "admin" },
		"more than tha": func(o *Options) { o.Namespace = "/" },
		"MaxSockets":    func(o *Options) { o.MaxSockets = -1 },
		"SessionTime":   func(o *Options) { o.SessionTime = -1 },
	} {
		o := good
		change(&o)
		if _, err := o.settle(); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
	o, err := good.settle()
	must(t, err)
	if o.Namespace != "/admin" || o.Mode != Production || o.Store == nil || o.Logger == nil || o.MaxSockets == 0 ||
		!regexp.MustCompile(`^.+#\d+$`).MatchString(o.ServerID) {
		t.Errorf("%+v", o)
	}
	ts := servertest.New(t, server.Config{})
	ts.Of("/admin")
	if _, err := Instrument(ts.Server, good); err == nil {
		t.Error("a namespace that the application has is taken over")
	}
}

// Secrets in the client's request are not told; everything else is.
func TestHidden(t *testing.T) {
	k := start(t, Options{Anonymous: true, Mode: Development})
	admin := k.Connect("/admin", nil)
	names(admin)
	k.Client(servertest.Header("Cookie", "a=secret"), servertest.Header("Authorization", "Bearer secret"),
		servertest.Header("X-Seen", "yes"), servertest.Query("token", "secret"), servertest.Query("room", "r"),
		servertest.Auth(map[string]string{"token": "secret"}))
	told := find(admin.Events(), "socket_connected")
	for _, part := range []string{`"x-seen":"yes"`, `"room":"r"`, `room=r`, `"nsp":"/"`} {
		if !strings.Contains(told, part) {
			t.Errorf("no %s in %s", part, told)
		}
	}
	if strings.Contains(told, "secret") || strings.Contains(told, `"auth"`) {
		t.Error(told)
	}
}

// Without a UI nothing listens to the server; it begins with the first one and ends with the last one.
func TestWorkOnlyForUIs(t *testing.T) {
	k := start(t, Options{Anonymous: true, Mode: Development})
	f := k.ui.feed
	idle := func(when string) {
		t.Helper()
		k.tick()
		if f.on || f.hooks != nil || f.known != nil || k.ui.meter.running {
			t.Errorf("it works %s", when)
		}
	}
	before := k.Connect("/", nil)
	must(t, before.Socket().Join("r"))
	idle("before a UI is there")
	admin := k.Connect("/admin", nil)
	if list := find(admin.Events(), "all_sockets"); !strings.Contains(list, before.ID()) || !strings.Contains(list, `"rooms":["`+before.ID()+`","r"]`) {
		t.Errorf("the list is %s", list)
	}
	second := k.Connect("/admin", nil)
	admin.Disconnect()
	k.tick()
	names(second)
	after := k.Connect("/", nil)
	if all := names(second); !slices.Equal(all, []string{"room_joined", "socket_connected"}) {
		t.Error(all)
	}
	second.Cut()
	idle("when all UIs have gone")
	after.Disconnect()
	third := k.Connect("/admin", nil)
	if list := find(third.Events(), "all_sockets"); !strings.Contains(list, before.ID()) || strings.Contains(list, after.ID()) {
		t.Errorf("the list is %s", list)
	}
}

// In production a UI gets no single sockets and events.
func TestProduction(t *testing.T) {
	k := start(t, Options{Anonymous: true})
	admin := k.Connect("/admin", nil)
	client := k.Connect("/", nil)
	client.Emit("hi")
	client.Disconnect()
	k.tick()
	k.tick()
	events := admin.Events()
	for _, e := range events {
		if e.Name != "config" && e.Name != "server_stats" {
			t.Errorf("it got %v", e)
		}
	}
	stats := find(events, "server_stats")
	for _, part := range []string{`"clientsCount":1`, `{"name":"/admin","socketsCount":1}`, `{"name":"/","socketsCount":0}`} {
		if !strings.Contains(stats, part) {
			t.Errorf("no %s in %s", part, stats)
		}
	}
}

// The numbers of a second are what happened in it.
func TestStats(t *testing.T) {
	k := start(t, Options{Anonymous: true, ServerID: "srv-1"})
	admin := k.Connect("/admin", nil)
	k.tick()
	k.tick()
	admin.Events()
	k.Client().Cut()
	k.Client(servertest.Transport(server.Polling))
	k.tick()
	k.tick()
	k.tick()
	k.tick()
	counts := map[string]uint64{}
	for _, e := range admin.Events() {
		var s serverStats
		must(t, e.Decode(&s))
		if s.ServerID != "srv-1" || s.ClientsCount != 2 || s.PollingClientsCount != 1 || s.Uptime <= 0 || s.PID == 0 {
			t.Errorf("%+v", s)
		}
		for _, e := range s.AggregatedEvents {
			counts[e.Type+" "+e.SubType] += e.Count
		}
	}
	if counts["rawConnection "] != 2 || counts["rawDisconnection transport close"] != 1 || counts["packetsIn "] < 2 || counts["packetsOut "] == 0 {
		t.Error(counts)
	}
	m := meter{}
	m.begin(totals{})
	m.note(totals{opened: 2}, time.Unix(5, 999))
	if want := (aggregated{5000, "rawConnection", "", 2}); len(m.waiting) != 1 || m.waiting[0] != want {
		t.Errorf("%+v, want %+v", m.waiting, want)
	}
}

// The sockets of a connection have one name for it, which does not give the session away.
func TestClientID(t *testing.T) {
	ts := servertest.New(t, server.Config{})
	ts.Of("/other")
	a := ts.Connect("/", nil)
	b, c := a.Of("/other", nil), ts.Connect("/", nil)
	if id := a.Socket().ClientID(); len(id) != 12 || b.Socket().ClientID() != id || c.Socket().ClientID() == id {
		t.Error(id, b.Socket().ClientID(), c.Socket().ClientID())
	}
}

// Commands that are malformed change nothing, and neither do those of a UI that may only look.
func TestCommands(t *testing.T) {
	k := start(t, Options{Anonymous: true})
	a, b := k.Connect("/", nil), k.Connect("/", nil)
	must(t, a.Socket().Join("r"))
	admin := k.Connect("/admin", nil)
	for _, command := range [][]any{
		{"emit"}, {"emit", "/"}, {"emit", "/", nil}, {"emit", "/", nil, 5}, {"emit", "/", nil, ""}, {"emit", "/", 7, "e"}, {"emit", "/nowhere", nil, "e"},
		{"emit", "/", nil, "disconnect"}, {"emit", 1, nil, "e"}, {"emit", "/", "", "e"}, {"emit", "/", []string{"r"}, "e"},
		{"join", "/"}, {"join", "/", 1}, {"join", "/", "x", 1}, {"leave", "/", nil}, {"leave", "/", "r", map[string]int{}},
		{"_disconnect", "/"}, {"_disconnect", "/", "yes"}, {"_disconnect", "/", true, 1}, {"_disconnect", "/nowhere", true}, {"unknown", "/"},
	} {
		admin.Emit(command[0].(string), command[1:]...)
	}
	if k.Lookup("/nowhere") != nil {
		t.Error("a command has made a namespace")
	}
	for _, c := range []*servertest.Client{a, b} {
		if c.ExpectNothing(); !c.Connected() || len(c.Socket().Rooms()) > 2 || c == a && !a.Socket().InRoom("r") {
			t.Error("a malformed command has done something")
		}
	}
	admin.Emit("emit", "/", "r", "to-room", []byte{1, 0}, 12)
	var binary []byte
	a.Expect("to-room", &binary, 12)
	b.ExpectNothing()
	admin.Emit("join", "/", "all", nil)
	admin.Emit("leave", "/", "r")
	if !b.Socket().InRoom("all") || a.Socket().InRoom("r") || len(binary) != 2 {
		t.Error(a.Socket().Rooms(), b.Socket().Rooms(), binary)
	}
	admin.Emit("_disconnect", "/", true, b.ID())
	if b.Connected() || !a.Connected() {
		t.Error("the wrong one is disconnected")
	}
	admin.Emit("_disconnect", "/", false)
	if a.Connected() || !admin.Connected() {
		t.Error("not all are disconnected")
	}

	k = start(t, Options{Anonymous: true, ReadOnly: true})
	a, admin = k.Connect("/", nil), k.Connect("/admin", nil)
	admin.Emit("emit", "/", nil, "e")
	admin.Emit("join", "/", "r")
	admin.Emit("_disconnect", "/", false)
	if a.ExpectNothing(); !a.Connected() || a.Socket().InRoom("r") {
		t.Error("a command of a UI that may only look was carried out")
	}
}

// What exceeds the bounds is left out and counted.
func TestBounds(t *testing.T) {
	k := start(t, Options{Anonymous: true, Mode: Development, MaxSockets: 5, EventsPerSecond: 20, MaxListBytes: 1500})
	admin := k.Connect("/admin", nil)
	names(admin)
	for range 10 {
		k.Connect("/", nil)
	}
	connected := 0
	for _, name := range names(admin) {
		if name == "socket_connected" {
			connected++
		}
	}
	if n := len(k.ui.feed.known); n != 5 || connected != 4 || k.ui.Dropped() != 6 {
		t.Errorf("%d sockets are known, %d were told, %d dropped", n, connected, k.ui.Dropped())
	}
	before := k.ui.Dropped()
	if list := find(k.Connect("/admin", nil).Events(), "all_sockets"); len(list) > 1500 || len(list) < 200 || k.ui.Dropped() == before {
		t.Errorf("a list of %d bytes, %d dropped", len(list), k.ui.Dropped()-before)
	}

	for _, o := range []Options{
		{Anonymous: true, Mode: Development, EventsPerSecond: 20},
		{Anonymous: true, Mode: Development, BytesPerSecond: 2000}, // of which an event of these has about 150
	} {
		k = start(t, o)
		admin, client := k.Connect("/admin", nil), k.Connect("/", nil)
		admin.Events()
		for range 300 {
			client.Emit("e", strings.Repeat("x", 50))
		}
		if n := len(names(admin)); n < 5 || n > 150 || k.ui.Dropped() != uint64(300-n) {
			t.Errorf("%d events, %d dropped", n, k.ui.Dropped())
		}
	}
}

func TestBucket(t *testing.T) {
	b, at := newBucket(10), time.Now()
	b.fill(at)
	for _, c := range []struct {
		after time.Duration
		n     int
		want  bool
	}{{0, 4, true}, {0, 7, false}, {0, 6, true}, {0, 1, false}, {200 * time.Millisecond, 3, false}, {0, 2, true}, {time.Hour, 25, true}, {0, 1, false}} {
		at = at.Add(c.after)
		b.fill(at)
		if got := b.has(c.n); got != c.want {
			t.Errorf("%+v: %v", c, got)
		} else if got {
			b.take(c.n)
		}
	}
}

// A UI whose view has gaps gets the list of all sockets again.
func TestStaleViewHeals(t *testing.T) {
	k := start(t, Options{Anonymous: true, Mode: Development, EventsPerSecond: 10})
	admin := k.Connect("/admin", nil)
	admin.Events()
	for range 20 {
		k.Connect("/", nil)
	}
	if !k.ui.feed.stale || k.ui.Dropped() == 0 {
		t.Fatal("nothing was left out")
	}
	admin.Events()
	k.ui.feed.changes.last = time.Now().Add(-time.Second) // a second passes
	k.during(k.ui.feed.scan)
	list := find(admin.Events(), "all_sockets")
	if n := strings.Count(list, `"clientId"`); n != 21 || k.ui.feed.stale {
		t.Errorf("%d sockets in the list", n)
	}
}

// Namespaces that clients make are found, and their sockets told.
func TestNewNamespaces(t *testing.T) {
	k := start(t, Options{Anonymous: true, Mode: Development, MaxNamespaces: 3})
	k.OfRegexp(regexp.MustCompile("^/game-"))
	admin := k.Connect("/admin", nil)
	admin.Events()
	first := k.Connect("/game-1", nil)
	k.tick()
	if told := find(admin.Events(), "socket_connected"); !strings.Contains(told, first.ID()) || !strings.Contains(told, `"/game-1"`) {
		t.Errorf("told %s", told)
	}
	second := k.Connect("/game-1", nil)
	if told := find(admin.Events(), "socket_connected"); !strings.Contains(told, second.ID()) {
		t.Errorf("told %s", told)
	}
	for i := range 5 {
		k.Connect(fmt.Sprintf("/game-%d", i), nil)
	}
	k.tick()
	if n := len(k.ui.feed.hooks); n > 3 {
		t.Errorf("it listens to %d namespaces", n)
	}
	var stats struct{ Namespaces []any }
	k.tick()
	must(t, json.Unmarshal([]byte(strings.TrimSuffix(strings.TrimPrefix(find(admin.Events(), "server_stats"), "["), "]")), &stats))
	if len(stats.Namespaces) != 3 {
		t.Error(stats)
	}
}

// A socket that a later connect handler refuses does not stay in the UI.
func TestRefusedLater(t *testing.T) {
	k := start(t, Options{Anonymous: true, Mode: Development})
	k.Of("/")
	admin := k.Connect("/admin", nil)
	k.Of("/").OnConnect(func(context.Context, *server.Socket) error { return errors.New("no") })
	k.Client()
	if all := names(admin); !slices.Contains(all, "socket_connected") || slices.Contains(all, "socket_disconnected") {
		t.Fatal(all)
	}
	k.tick()
	k.tick()
	if all := names(admin); !slices.Contains(all, "socket_disconnected") || len(k.ui.feed.known) != 1 {
		t.Error(all)
	}
}

// Close ends everything, and nobody comes in afterwards.
func TestClose(t *testing.T) {
	k := start(t, Options{Anonymous: true, Mode: Development})
	admin := k.Connect("/admin", nil)
	k.ui.Close()
	k.Settle()
	if admin.Connected() || k.ui.feed.on {
		t.Error("it goes on")
	}
	if r := k.Client(servertest.Namespace("/admin")).Refused(); r == nil || r.Message != "Invalid namespace" {
		t.Errorf("%+v", r)
	}
	k.ui.Close()
}

// Run, as programs use it: with a clock of its own.
func TestRun(t *testing.T) {
	ts := servertest.New(t, server.Config{})
	ui, err := Instrument(ts.Server, Options{Anonymous: true})
	must(t, err)
	defer ui.Close()
	admin := ts.Connect("/admin", nil)
	for end := time.Now().Add(15 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if n := len(slices.DeleteFunc(admin.Events(), func(e servertest.Event) bool { return e.Name != "server_stats" })); n > 0 && time.Now().After(ui.started.Add(tickTime)) {
			return
		}
		if time.Now().After(end) {
			t.Fatal("no numbers come")
		}
	}
}
