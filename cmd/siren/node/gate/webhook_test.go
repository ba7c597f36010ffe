package gate_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/seed58c87869/siren/cmd/siren/node/gate"
	"github.com/seed58c87869/siren/cmd/siren/node/pattern"
	"github.com/seed58c87869/siren/cmd/siren/node/token"
	"github.com/seed58c87869/siren/cmd/siren/node/webhook"
	"github.com/seed58c87869/siren/cmd/siren/node/webhook/webhooktest"
	"github.com/seed58c87869/siren/server"
	"github.com/seed58c87869/siren/server/servertest"
)

// withBackend makes a node with a backend that gets all hooks.
func withBackend(t *testing.T, b *webhooktest.Backend, change func(cfg *gate.Config)) *node {
	cfg := gate.Config{
		Tokens:   token.Config{HMACSecrets: []string{secret}},
		Webhooks: webhook.Config{URL: b.URL, Node: "n1", FirstRetry: time.Millisecond},
		Connect:  true, Event: true, Disconnect: true, Headers: []string{"X-Trace", "Cookie"},
	}
	if change != nil {
		change(&cfg)
	}
	n := newNode(t, cfg, gate.Rule{Rooms: pattern.List{"*"}, Events: []string{"e"}}, server.Config{MaxRooms: 5})
	n.Manual()
	return n
}

// connect waits until the backend has answered.
func (n *node) connect(auth any, opts ...servertest.Option) *servertest.Client {
	n.t.Helper()
	c := n.Connect("/", auth, opts...)
	eventually(n.t, "an answer", func() bool { n.Settle(); return c.Connected() || c.Refused() != nil })
	return c
}

func TestHooksTell(t *testing.T) {
	b := webhooktest.New(t)
	n := withBackend(t, b, nil)
	text := n.sign(token.Grant{Subject: "ann", Rooms: []string{"lobby"}})
	c := n.connect(map[string]any{"token": text, "a": 1}, servertest.Header("x-trace", "t1"), servertest.Header("X-Other", "o"), servertest.Query("q", "1"))
	b.Reply(200, "")
	c.Ask("e", "hi", []byte{1}, map[string]any{"n": 1})
	eventually(t, "the event's hook", func() bool { n.Settle(); return len(b.Hooks()) == 2 })
	c.Disconnect()
	eventually(t, "the disconnect's hook", func() bool { n.Settle(); return len(b.Hooks()) == 3 })
	if got := b.Types(c.ID()); got != "connect, event e, disconnect client namespace disconnect" {
		t.Error(got)
	}
	for _, h := range b.Hooks() {
		d := h.Data
		var claims struct {
			Sub   string
			Siren struct{ Rooms []string }
		}
		if err := json.Unmarshal(d.Claims, &claims); err != nil {
			t.Fatal(err)
		}
		if d.Namespace != "/" || d.User != "ann" || d.Address == "" || claims.Sub != "ann" || len(claims.Siren.Rooms) != 1 ||
			string(d.Headers) != `{"x-trace":"t1"}` || string(d.Auth) != `{"a":1}` || strings.Contains(h.Text, text) {
			t.Errorf("%s", h.Text)
		}
		var query map[string]string
		if err := json.Unmarshal(d.Query, &query); err != nil || query["q"] != "1" || query["EIO"] != "4" {
			t.Errorf("query %s: %v", d.Query, err)
		}
		if h.Type == "socket.event" && string(d.Args) != `["hi",{"$binary":"AQ=="},{"n":1}]` {
			t.Errorf("args %s", d.Args)
		}
	}
}

func TestBackendLetsIn(t *testing.T) {
	b := webhooktest.New(t)
	b.Reply(200, `{"allow":true,"rooms":["a","b"],"data":{"x":1},"emit":[
		{"event":"hello","args":[1.50,{"$binary":"AQ=="}]},{"event":"token-expiring"},{"event":"x","rooms":["a"]},{"event":"connect"},
		{"event":"x","args":[{"$binary":5}]},{"event":"last"}]}`)
	n := withBackend(t, b, nil)
	c := n.connect(auth(n.sign(token.Grant{Data: []byte("5")})))
	c.Expect("hello", 1.5, []byte{1})
	c.Expect("last")
	c.ExpectNothing()
	s := c.Socket()
	if !s.InRoom("a") || !s.InRoom("b") || string(gate.Data(s).JSON) != `{"x":1}` {
		t.Error(s.Rooms(), gate.Data(s))
	}
	if st := n.gate.Stats(); st.Webhooks.Wrong != 4 {
		t.Errorf("%+v", st.Webhooks)
	}
}

func TestBackendRefuses(t *testing.T) {
	b := webhooktest.New(t)
	n := withBackend(t, b, nil)
	for _, c := range []struct{ answer, message, data string }{
		{`{"allow":false}`, "not allowed", `{"code":"not_allowed"}`},
		{`{"allow":false,"message":"go away"}`, "go away", `{"code":"not_allowed"}`},
		{`{"allow":false,"message":"later","data":{"until":1.50}}`, "later", `{"until":1.50}`},
	} {
		b.Reply(200, c.answer)
		refusedWith(t, n.connect(nil), c.message, c.data)
	}
	if st := n.gate.Stats(); st.Denied != 3 || st.Webhooks.Requests[webhook.Connect][webhook.Denied] != 3 {
		t.Errorf("%+v", st)
	}
	// The backend is asked only about those whose token is good, and hears nothing of those that it has refused.
	refusedWith(t, n.connect(auth("x")), "token invalid", `{"code":"token_invalid"}`)
	if got := b.Types(""); got != "connect, connect, connect" {
		t.Error(got)
	}
	if n.Of("/").SocketCount() != 0 {
		t.Error("somebody stays")
	}
}

func TestBackendIsDown(t *testing.T) {
	for _, open := range []bool{false, true} {
		b := webhooktest.New(t)
		n := withBackend(t, b, func(cfg *gate.Config) { cfg.FailOpen = open })
		b.Reply(500, "")
		c := n.connect(nil)
		if open {
			if !c.Connected() {
				t.Errorf("%+v", c.Refused())
			}
			a := c.Ask("e")
			eventually(t, "an acknowledgement", func() bool { n.Settle(); _, ok := a.Reply(); return ok })
			if e, _ := a.Reply(); said(e) != `{"error":"unavailable"}` {
				t.Error(e)
			}
			continue
		}
		refusedWith(t, c, "try again later", `{"code":"unavailable"}`)
		if st := n.gate.Stats(); st.Failed != 1 {
			t.Errorf("%+v", st)
		}
	}
}

func TestEventAnswers(t *testing.T) {
	b := webhooktest.New(t)
	n := withBackend(t, b, nil)
	a, c := n.connect(nil), n.connect(nil)
	if err := c.Socket().Join("r"); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		answer, ack string
		toA, toC    []string
	}{
		{"", "()", nil, nil},
		{"{}", "()", nil, nil},
		{`{"ack":[]}`, "()", nil, nil},
		{`{"ack":[1.50,{"$binary":"AQ=="}]}`, `(1.5, [1])`, nil, nil},
		{`{"ack":{}}`, "()", nil, nil},
		{`{"ack":[{"$binary":1}]}`, "()", nil, nil},
		{`{"ack":["ok"],"emit":[{"rooms":["r"],"event":"x","args":[1]},{"event":"all"},{"event":"none","rooms":[]},{"event":"not r","except":["r"]},{"event":"token"}]}`,
			`("ok")`, []string{"all", "not r"}, []string{"x", "all"}},
	} {
		b.Reply(200, test.answer)
		q := a.Ask("e", "x")
		eventually(t, "an acknowledgement", func() bool { n.Settle(); _, ok := q.Reply(); return ok })
		e, _ := q.Reply()
		if got := e.String(); got != test.ack {
			t.Errorf("%s: acknowledged %s", test.answer, got)
		}
		for i, want := range [][]string{test.toA, test.toC} {
			var got []string
			for _, e := range []*servertest.Client{a, c}[i].Events() {
				got = append(got, e.Name)
			}
			if strings.Join(got, ",") != strings.Join(want, ",") {
				t.Errorf("%s: client %d got %q, want %q", test.answer, i, got, want)
			}
		}
	}
	if st := n.gate.Stats(); st.Webhooks.Wrong != 3 {
		t.Errorf("%+v", st.Webhooks)
	}
}

// Which events go to the backend.
func TestSends(t *testing.T) {
	b := webhooktest.New(t)
	n := withBackend(t, b, nil)
	for _, c := range []struct {
		event string
		list  []string
		want  bool
	}{
		{"e", []string{"e"}, true}, {"e", []string{"x", "*"}, true}, {"e", nil, false}, {"e", []string{"x"}, false},
		{"join", []string{"*"}, false}, {"leave", []string{"*"}, false}, {"publish", []string{"*"}, false}, {"token", []string{"*"}, false},
		{"join", []string{"join"}, true}, {"leave", []string{"*", "leave"}, true}, {"publish", []string{"join", "publish"}, true},
		{"token", []string{"token"}, true}, {"join", []string{"leave"}, false},
	} {
		if got := n.gate.Sends(c.event, &gate.Rule{Events: c.list}); got != c.want {
			t.Errorf("%s, %q: %v", c.event, c.list, got)
		}
	}
	cfg := n.cfg
	cfg.Event = false
	if err := n.gate.Update(cfg); err != nil {
		t.Fatal(err)
	}
	if n.gate.Sends("e", &gate.Rule{Events: []string{"e"}}) {
		t.Error("sends events that are switched off")
	}
}

// A client that the backend has let in, and that has left meanwhile, has its end told: the backend knows of it.
func TestClientLeavesWhileTheBackendIsAsked(t *testing.T) {
	b := webhooktest.New(t)
	release := make(chan struct{})
	b.Handle(func(w http.ResponseWriter, _ *http.Request) {
		<-release
		_, _ = io.WriteString(w, `{"allow":true}`)
	})
	n := withBackend(t, b, nil)
	c := n.Connect("/", nil)
	eventually(t, "a hook", func() bool { return len(b.Hooks()) == 1 })
	c.Cut()
	close(release)
	eventually(t, "its end is told", func() bool { n.Settle(); return len(b.Hooks()) == 2 })
	if got := b.Types(b.Hooks()[0].Data.Socket); got != "connect, disconnect transport close" {
		t.Error(got)
	}
}

// The backend's rooms that cannot be joined refuse the client, whose end is told.
func TestTooManyRoomsOfTheBackend(t *testing.T) {
	b := webhooktest.New(t)
	b.Reply(200, `{"allow":true,"rooms":["1","2","3","4","5","6"]}`)
	n := withBackend(t, b, nil)
	refusedWith(t, n.connect(nil), "not allowed", `{"code":"not_allowed"}`)
	eventually(t, "its end is told", func() bool { return len(b.Hooks()) == 2 })
}

// The reason of a token's end is told, too.
func TestExpiryIsTold(t *testing.T) {
	b := webhooktest.New(t)
	n := withBackend(t, b, nil)
	c := n.connect(auth(n.sign(token.Grant{Expires: 10 * time.Second})))
	n.advance(41 * time.Second)
	eventually(t, "its end is told", func() bool { n.Settle(); return len(b.Hooks()) == 2 })
	if got := b.Types(c.ID()); got != "connect, disconnect token expired" {
		t.Error(got)
	}
}

// Hooks that are switched off are not made.
func TestHooksSwitchedOff(t *testing.T) {
	b := webhooktest.New(t)
	n := withBackend(t, b, func(cfg *gate.Config) { cfg.Connect, cfg.Disconnect = false, false })
	c := n.connect(nil)
	c.Disconnect()
	n.Settle()
	if got := b.Types(""); got != "" {
		t.Error(got)
	}
}

// A user that is revoked while the backend is asked does not come in.
func TestRevokedWhileTheBackendIsAsked(t *testing.T) {
	b := webhooktest.New(t)
	release := make(chan struct{})
	b.Handle(func(w http.ResponseWriter, r *http.Request) {
		<-release
		_, _ = io.WriteString(w, `{"allow":true}`)
	})
	n := withBackend(t, b, nil)
	c := n.Connect("/", auth(n.sign(token.Grant{Subject: "ann"})))
	eventually(t, "a hook", func() bool { return len(b.Hooks()) == 1 })
	if count := n.gate.Revoke([]*server.Namespace{n.Of("/")}, "ann", n.now.Load().Add(time.Second)); count != 0 {
		t.Errorf("%d disconnected", count)
	}
	close(release)
	eventually(t, "a refusal", func() bool { n.Settle(); return c.Refused() != nil || c.Connected() })
	refusedWith(t, c, "token invalid", `{"code":"token_invalid"}`)
	eventually(t, "its end is told", func() bool { return len(b.Hooks()) == 2 })
}
