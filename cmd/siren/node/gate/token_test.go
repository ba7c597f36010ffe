package gate_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/seed58c87869/siren/cmd/siren/node/gate"
	"github.com/seed58c87869/siren/cmd/siren/node/pattern"
	"github.com/seed58c87869/siren/cmd/siren/node/token"
	"github.com/seed58c87869/siren/server"
)

func TestConnectWithToken(t *testing.T) {
	n := withTokens(t)
	valid := n.sign(token.Grant{Subject: "ann"})
	required := gate.Rule{Token: true, Rooms: pattern.List{"room-*"}}
	for _, c := range []struct {
		name          string
		rule          gate.Rule
		auth          any
		message, code string
	}{
		{"anonymous", gate.Rule{}, nil, "", ""},
		{"anonymous, without a token", gate.Rule{}, map[string]any{"x": 1}, "", ""},
		{"anonymous, the token is null", gate.Rule{}, map[string]any{"token": nil}, "", ""},
		{"anonymous, a good token", gate.Rule{}, auth(valid), "", ""},
		{"anonymous, a bad token", gate.Rule{}, auth("x"), "token invalid", "token_invalid"},
		{"anonymous, an empty token", gate.Rule{}, auth(""), "token invalid", "token_invalid"},
		{"anonymous, a token of a wrong kind", gate.Rule{}, map[string]any{"token": 5}, "token invalid", "token_invalid"},
		{"required", required, nil, "token required", "token_required"},
		{"required, null", required, map[string]any{"token": nil}, "token required", "token_required"},
		{"required, good", required, auth(valid), "", ""},
		{"required, bad", required, auth(valid + "x"), "token invalid", "token_invalid"},
		{"expired", required, auth(n.sign(token.Grant{Expires: -time.Minute})), "token expired", "token_expired"},
		{"expired within the leeway", required, auth(n.sign(token.Grant{Expires: -20 * time.Second})), "", ""},
		{"for this namespace", required, auth(n.sign(token.Grant{Namespaces: []string{"/"}})), "", ""},
		{"for another namespace", required, auth(n.sign(token.Grant{Namespaces: []string{"/o*"}})), "not allowed", "not_allowed"},
		{"for none", required, auth(n.sign(token.Grant{Namespaces: []string{}})), "not allowed", "not_allowed"},
		{"rooms of the rule", required, auth(n.sign(token.Grant{Rooms: []string{"room-1"}})), "", ""},
		{"rooms of the rule, though none may be joined", required, auth(n.sign(token.Grant{Rooms: []string{"room-1"}, Join: []string{}})), "", ""},
		{"other rooms", required, auth(n.sign(token.Grant{Rooms: []string{"room-1", "x"}})), "not allowed", "not_allowed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			n.rule.Store(&c.rule)
			client := n.Connect("/", c.auth)
			if c.message != "" {
				refusedWith(t, client, c.message, `{"code":"`+c.code+`"}`)
				return
			}
			if !client.Connected() {
				t.Errorf("%+v", client.Refused())
			}
			client.Disconnect()
		})
	}
	st := n.gate.Stats()
	if want := map[string]uint64{"token_required": 2, "token_invalid": 4, "token_expired": 1, "not_allowed": 3}; fmt.Sprint(st.TokenRefusals) != fmt.Sprint(want) || st.Denied != 10 {
		t.Errorf("%+v", st)
	}
}

// Without keys tokens are ignored; a namespace that needs one lets nobody in.
func TestTokensWithoutKeys(t *testing.T) {
	n := newNode(t, gate.Config{}, gate.Rule{}, server.Config{})
	c := n.Connect("/", auth("x"))
	if !c.Connected() {
		t.Fatalf("%+v", c.Refused())
	}
	if e := c.EmitAck("token", "x"); said(e) != `{"error":"token invalid"}` {
		t.Error(e)
	}
	n.rule.Store(&gate.Rule{Token: true})
	refusedWith(t, n.Connect("/", auth("x")), "token required", `{"code":"token_required"}`)
}

func TestWhatATokenGives(t *testing.T) {
	n := withTokens(t)
	c := n.Connect("/", map[string]string{"token": n.sign(token.Grant{
		Subject: "ann", Rooms: []string{"a", "b"}, Join: []string{"room-*"}, Data: []byte(`{"x":[1.50,{"$binary":"AQ=="}]}`),
	}), "more": "kept"})
	s := c.Socket()
	rooms := s.Rooms()
	slices.Sort(rooms)
	if claims := gate.Claims(s); s.User() != "ann" || claims == nil || claims.AllowsJoin("x") || !claims.AllowsJoin("room-1") {
		t.Errorf("user %q, claims %v", s.User(), claims)
	}
	if !slices.Contains(rooms, "a") || !slices.Contains(rooms, "b") {
		t.Errorf("rooms %q", rooms)
	}
	if d := gate.Data(s); string(d.JSON) != `{"x":[1.50,{"_placeholder":true,"num":0}]}` || len(d.Attachments) != 1 {
		t.Errorf("data %s", d.JSON)
	}
	n.Settle()
	if got := string(s.Handshake().RawAuth()); got != `{"more":"kept"}` {
		t.Errorf("auth %s", got)
	}
	anonymous := n.Connect("/", nil).Socket()
	if gate.Claims(anonymous) != nil || gate.Data(anonymous).JSON != nil || anonymous.Identity() != nil {
		t.Error("an anonymous client has claims")
	}
}

// Rooms beyond the socket's limit refuse the token, and nobody stays.
func TestTooManyRooms(t *testing.T) {
	n := newNode(t, gate.Config{Tokens: token.Config{HMACSecrets: []string{secret}}}, gate.Rule{Rooms: pattern.List{"*"}}, server.Config{MaxRooms: 2})
	refusedWith(t, n.Connect("/", auth(n.sign(token.Grant{Rooms: []string{"a", "b", "c"}}))), "not allowed", `{"code":"not_allowed"}`)
	if n.Of("/").SocketCount() != 0 {
		t.Error("it stays")
	}
}

// The client is told 30 s before the end, and disconnected 30 s after it.
func TestExpiry(t *testing.T) {
	n := withTokens(t)
	c := n.Connect("/", auth(n.sign(token.Grant{Subject: "ann", Expires: 10 * time.Minute})))
	n.advance(9*time.Minute + 29*time.Second)
	c.ExpectNothing()
	n.advance(2 * time.Second)
	c.Expect("token-expiring", map[string]int{"expires_in": 30})
	n.advance(57 * time.Second)
	c.ExpectNothing()
	if !c.Connected() {
		t.Fatal("disconnected too early")
	}
	n.advance(3 * time.Second)
	if c.DisconnectReason() != "io server disconnect" && c.DisconnectReason() != "server namespace disconnect" {
		t.Errorf("reason %q", c.DisconnectReason())
	}
	if st := n.gate.Stats(); st.Expired != 1 {
		t.Errorf("%+v", st)
	}
}

// With less than 30 s left, the client is told right after CONNECT, once.
func TestExpiryIsNear(t *testing.T) {
	for _, left := range []time.Duration{30 * time.Second, 10 * time.Second, -10 * time.Second} {
		n := withTokens(t)
		c := n.Connect("/", auth(n.sign(token.Grant{Expires: left})))
		c.Expect("token-expiring", map[string]int{"expires_in": int(max(0, left.Seconds()))})
		n.advance(left + 29*time.Second)
		c.ExpectNothing()
		if !c.Connected() {
			t.Fatal("disconnected too early")
		}
		if n.advance(2 * time.Second); c.Connected() {
			t.Error("not disconnected")
		}
	}
}

// A token without an end never ends.
func TestNoExpiry(t *testing.T) {
	n := newNode(t, gate.Config{Tokens: token.Config{HMACSecrets: []string{secret}, AllowNoExp: true}}, gate.Rule{}, server.Config{})
	text, err := token.Config{HMACSecrets: []string{secret}}.Sign(token.Grant{Subject: "ann"})
	if err != nil {
		t.Fatal(err)
	}
	c := n.Connect("/", auth(text))
	n.advance(1000 * time.Hour)
	if c.ExpectNothing(); !c.Connected() {
		t.Error("disconnected")
	}
	if e := c.EmitAck("token", text); said(e) != `{"status":"ok"}` {
		t.Error(e)
	}
}

func TestRenewal(t *testing.T) {
	n := withTokens(t)
	c := n.Connect("/", auth(n.sign(token.Grant{Subject: "ann", Expires: time.Minute, Join: []string{"*"}, Rooms: []string{"first"}})))
	s := c.Socket()
	for _, bad := range []struct{ argument, want any }{
		{n.sign(token.Grant{Subject: "ben"}), "not allowed"},
		{n.sign(token.Grant{Subject: "ann", Namespaces: []string{"/x"}}), "not allowed"},
		{n.sign(token.Grant{Subject: "ann", Expires: -time.Hour}), "token expired"},
		{"x", "token invalid"}, {5, "token invalid"}, {nil, "token invalid"},
	} {
		if e := c.EmitAck("token", bad.argument); said(e) != fmt.Sprintf(`{"error":"%s"}`, bad.want) {
			t.Errorf("%v: %s", bad.argument, e)
		}
	}
	if e := c.EmitAck("token", n.sign(token.Grant{Subject: "ann"}), 1); said(e) != `{"error":"token invalid"}` {
		t.Error(e)
	}
	if e := c.EmitAck("token"); said(e) != `{"error":"token invalid"}` {
		t.Error(e)
	}
	if err := s.Join("room-1", "other"); err != nil {
		t.Fatal(err)
	}
	next := n.sign(token.Grant{Subject: "ann", Expires: 10 * time.Minute, Join: []string{"room-*"}, Rooms: []string{"second"}, Data: []byte(`5`)})
	if e := c.EmitAck("token", next); said(e) != `{"status":"ok","expires_in":600}` {
		t.Error(e)
	}
	rooms := s.Rooms()
	if slices.Contains(rooms, "first") || slices.Contains(rooms, "other") || !slices.Contains(rooms, "room-1") || !slices.Contains(rooms, "second") {
		t.Errorf("rooms %q", rooms)
	}
	if string(gate.Data(s).JSON) != "5" || gate.Claims(s).AllowsJoin("x") {
		t.Errorf("data %s, claims %s", gate.Data(s).JSON, gate.Claims(s).Text())
	}
	n.advance(9*time.Minute + 31*time.Second)
	c.Expect("token-expiring", map[string]int{"expires_in": 30})
	c.ExpectNothing()
	if e := c.EmitAck("token", n.sign(token.Grant{Subject: "ann", Expires: 20 * time.Second})); said(e) != `{"status":"ok","expires_in":20}` {
		t.Error(e)
	}
	c.Expect("token-expiring", map[string]int{"expires_in": 20}) // for the new token
	if n.advance(51 * time.Second); c.Connected() {
		t.Error("not disconnected")
	}
}

// An anonymous client does not become a user, and rooms that the backend has put a client into are not the token's.
func TestRenewalLeavesOthersAlone(t *testing.T) {
	n := withTokens(t)
	if e := n.Connect("/", nil).EmitAck("token", n.sign(token.Grant{Subject: "ann"})); said(e) != `{"error":"not allowed"}` {
		t.Error(e)
	}
	c := n.Connect("/", auth(n.sign(token.Grant{Subject: "ann", Join: []string{}})))
	if err := c.Socket().Join("backend's"); err != nil {
		t.Fatal(err)
	}
	if e := c.EmitAck("token", n.sign(token.Grant{Subject: "ann", Join: []string{"x"}})); said(e) != `{"status":"ok","expires_in":3600}` || !c.Socket().InRoom("backend's") {
		t.Error(e, c.Socket().Rooms())
	}
}

func TestRevoke(t *testing.T) {
	n := withTokens(t)
	old := n.sign(token.Grant{Subject: "ann"})
	a, b, other := n.Connect("/", auth(old)), n.Connect("/other", auth(old)), n.Connect("/", auth(n.sign(token.Grant{Subject: "ben"})))
	n.advance(time.Second)
	fresh := n.Connect("/", auth(n.sign(token.Grant{Subject: "ann"})))
	if count := n.gate.Revoke([]*server.Namespace{n.Of("/"), n.Of("/other")}, "ann", *n.now.Load()); count != 2 {
		t.Errorf("%d disconnected", count)
	}
	n.Settle()
	if a.Connected() || b.Connected() || !other.Connected() || !fresh.Connected() {
		t.Error(a.Connected(), b.Connected(), other.Connected(), fresh.Connected())
	}
	refusedWith(t, n.Connect("/", auth(old)), "token invalid", `{"code":"token_invalid"}`)
	if e := fresh.EmitAck("token", old); said(e) != `{"error":"token invalid"}` {
		t.Error(e)
	}
}

// A socket that comes back is checked as any other, and has the deadline of its new token.
func TestRecoveredSockets(t *testing.T) {
	cfg := gate.Config{Tokens: token.Config{HMACSecrets: []string{secret}}}
	n := newNode(t, cfg, gate.Rule{Token: true, Rooms: pattern.List{"*"}}, server.Config{
		Recovery: server.Recovery{MaxDisconnection: time.Minute, RunMiddlewares: true},
	})
	c := n.Connect("/", auth(n.sign(token.Grant{Subject: "ann", Expires: time.Minute, Rooms: []string{"a"}})))
	if err := c.Socket().Join("b"); err != nil {
		t.Fatal(err)
	}
	n.Of("/").Emit("e") // there is something to come back to
	n.Settle()
	c.Cut()
	n.advance(time.Second)
	back := c.Reconnect()
	if !back.Recovered() || gate.Claims(back.Socket()) == nil {
		t.Fatalf("recovered %v, refused %+v", back.Recovered(), back.Refused())
	}
	back.Cut()
	n.advance(100 * time.Second)
	if late := back.Reconnect(); late.Refused() == nil || late.Refused().Message != "token expired" {
		t.Errorf("%+v", late.Refused())
	}
}

// Another configuration holds for clients that connect from then on.
func TestUpdate(t *testing.T) {
	n := withTokens(t)
	old := n.sign(token.Grant{Subject: "ann"})
	c := n.Connect("/", auth(old))
	next := n.cfg
	next.Tokens.HMACSecrets = []string{"another secret"}
	if err := n.gate.Update(next); err != nil {
		t.Fatal(err)
	}
	if refusedWith(t, n.Connect("/", auth(old)), "token invalid", `{"code":"token_invalid"}`); !c.Connected() {
		t.Error("disconnected")
	}
	next.Tokens.Algorithms = []string{"RS256"}
	if err := n.gate.Update(next); err == nil {
		t.Error("no error")
	}
	next.Tokens = token.Config{}
	if err := n.gate.Update(next); err != nil {
		t.Fatal(err)
	}
	if c := n.Connect("/", auth("x")); !c.Connected() {
		t.Errorf("%+v", c.Refused())
	}
}
