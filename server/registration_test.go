package server_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/seed58c87869/siren/server"
	"github.com/seed58c87869/siren/server/servertest"
)

// panicText returns what fn panics with; "" when it does not.
func panicText(fn func()) (text string) {
	defer func() {
		if p := recover(); p != nil {
			text = fmt.Sprint(p)
		}
	}()
	fn()
	return ""
}

// What cannot work panics when it is registered, and says what to use.
func TestRegistrationPanics(t *testing.T) {
	srv := start(t, server.Config{}, func(srv *server.Server) {
		srv.Of("/").OnConnect(func(_ context.Context, s *server.Socket) error {
			s.On("e", func(context.Context, *server.Message) {})
			server.On0(s, "e", blowUp)
			return nil
		})
	})
	_, id := joined(t, srv, "/")
	s := srv.Of("/").Socket(id)
	ns, parent := srv.Of("/"), srv.OfFunc(func(context.Context, string, server.Raw) bool { return false })
	raw := func(context.Context, *server.Message) {}
	one := func(context.Context, *server.Socket, int) (int, error) { return 0, nil }
	server.On0(ns, "e", blowUp)
	server.On0(parent, "e", blowUp)
	for name, test := range map[string]struct {
		register func()
		want     string
	}{
		"On of connect":           {func() { ns.On("connect", raw) }, `"connect" in "/" would never run: use OnConnect`},
		"On of disconnect":        {func() { ns.On("disconnect", raw) }, "use OnDisconnect"},
		"On of disconnecting":     {func() { parent.On("disconnecting", raw) }, "use OnDisconnecting"},
		"On of connect_error":     {func() { ns.On("connect_error", raw) }, "return an error"},
		"On of newListener":       {func() { ns.On("newListener", raw) }, "keeps the name"},
		"typed, of disconnect":    {func() { server.On0(ns, "disconnect", blowUp) }, "use OnDisconnect"},
		"of a socket":             {func() { s.On("disconnect", raw) }, "use OnDisconnect"},
		"Once of disconnect":      {func() { ns.Once("disconnect", raw) }, "use OnDisconnect"},
		"a second typed one":      {func() { server.Reply1(ns, "e", one) }, `the namespace / has a typed handler for the event "e" already`},
		"a second one of parents": {func() { server.Reply1(parent, "e", one) }, "already"},
		"a second one of sockets": {func() { server.Reply1(s, "e", one) }, `a socket of / has a typed handler for the event "e" already`},

		"Use":             {func() { ns.Use(nil) }, "Use: the function is nil"},
		"UsePacket":       {func() { ns.UsePacket(nil) }, "UsePacket: the function is nil"},
		"OnConnect":       {func() { parent.OnConnect(nil) }, "OnConnect: the function is nil"},
		"OnDisconnecting": {func() { ns.OnDisconnecting(nil) }, "OnDisconnecting: the function is nil"},
		"OnDisconnect":    {func() { ns.OnDisconnect(nil) }, "OnDisconnect: the function is nil"},
		"OnError":         {func() { ns.OnError(nil) }, "OnError: the function is nil"},
		"OnAny":           {func() { ns.OnAny(nil) }, "OnAny: the function is nil"},
		"OnAnyOutgoing":   {func() { ns.OnAnyOutgoing(nil) }, "OnAnyOutgoing: the function is nil"},
		"OnUnhandled":     {func() { ns.OnUnhandled(nil) }, "OnUnhandled: the function is nil"},
		"OnDeadline":      {func() { ns.OnDeadline(nil) }, "OnDeadline: the function is nil"},
		"OnRoom":          {func() { ns.OnRoom(nil) }, "OnRoom: the function is nil"},
		"OnServerSide":    {func() { ns.OnServerSide("e", nil) }, "OnServerSide: the function is nil"},
		"OfFunc":          {func() { srv.OfFunc(nil) }, "OfFunc: the function is nil"},
		"OfRegexp":        {func() { srv.OfRegexp(nil) }, "OfRegexp: the function is nil"},
		"On":              {func() { ns.On("x", nil) }, "On: the function is nil"},
		"Once":            {func() { ns.Once("x", nil) }, "Once: the function is nil"},
		"a socket's On":   {func() { s.On("x", nil) }, "On: the function is nil"},
		"a socket's Once": {func() { s.Once("x", nil) }, "Once: the function is nil"},
		"On0":             {func() { server.On0(ns, "x", nil) }, "On0: the function is nil"},
		"On1":             {func() { server.On1[int](ns, "x", nil) }, "On1: the function is nil"},
		"On2":             {func() { server.On2[int, int](ns, "x", nil) }, "On2: the function is nil"},
		"On3":             {func() { server.On3[int, int, int](ns, "x", nil) }, "On3: the function is nil"},
		"Reply0":          {func() { server.Reply0[int](ns, "x", nil) }, "Reply0: the function is nil"},
		"Reply1":          {func() { server.Reply1[int, int](ns, "x", nil) }, "Reply1: the function is nil"},
		"Reply2":          {func() { server.Reply2[int, int, int](ns, "x", nil) }, "Reply2: the function is nil"},
		"Reply3":          {func() { server.Reply3[int, int, int, int](ns, "x", nil) }, "Reply3: the function is nil"},
		"OnAck0":          {func() { server.OnAck0(ns, "x", nil) }, "OnAck0: the function is nil"},
		"OnAck1":          {func() { server.OnAck1[int](ns, "x", nil) }, "OnAck1: the function is nil"},
		"OnAck2":          {func() { server.OnAck2[int, int](ns, "x", nil) }, "OnAck2: the function is nil"},
		"OnAck3":          {func() { server.OnAck3[int, int, int](ns, "x", nil) }, "OnAck3: the function is nil"},
		"EmitAck":         {func() { _ = ns.EmitAck(t.Context(), "x", nil) }, "EmitAck: the function is nil"},
		"one's EmitAck":   {func() { _ = s.EmitAck(t.Context(), "x", nil) }, "EmitAck: the function is nil"},
	} {
		if got := panicText(test.register); !strings.Contains(got, test.want) {
			t.Errorf("%s: it panics with %q, not %q", name, got, test.want)
		}
	}
	// A typed handler may follow one that was removed, and stand beside those of On.
	reg := server.On0(ns, "f", blowUp)
	ns.On("f", raw)
	reg.Remove()
	server.Reply1(ns, "f", one)
}

// A handler of "connection" is for an event that clients send: the log says what the programmer has meant.
func TestOnConnectionWarns(t *testing.T) {
	var log logBuffer
	ts := servertest.New(t, server.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	ts.Of("/").On("connection", func(_ context.Context, m *server.Message) { _ = m.Ack("an event") })
	if a := ts.Client().EmitAck("connection"); len(a.Args) != 1 {
		t.Error(a)
	}
	if !strings.Contains(log.String(), `named \"connection\"; OnConnect runs when they connect`) {
		t.Error(log.String())
	}
}

// All handlers of an event run, in the order in which they were added, typed ones too; the first acknowledgement
// counts. One that panics keeps none from running.
func TestSeveralHandlers(t *testing.T) {
	for name, opts := range bothModes {
		t.Run(name, func(t *testing.T) {
			srv := start(t, server.Config{}, func(srv *server.Server) {
				withSync(srv)
				ns := srv.Of("/")
				say := func(text string) func(context.Context, *server.Message) {
					return func(_ context.Context, m *server.Message) { _ = m.Socket().Emit(text, m.Args()...) }
				}
				ns.On("e", say("a"), opts...)
				ns.On("e", func(context.Context, *server.Message) { panic("b") })
				removed := ns.On("e", say("removed"))
				server.On1(ns, "e", func(_ context.Context, s *server.Socket, n int) error { return s.Emit("c", n) }, opts...)
				ns.Once("e", say("d"), opts...)
				ns.On("e", say("e"))
				ns.On("e", func(_ context.Context, m *server.Message) { _ = m.Ack("too late") }, opts...)
				removed.Remove()
			})
			c, _ := joined(t, srv, "/")
			c.send(`2["e",1]`, `21["e",2]`)
			c.expect(`2["a",1]`, `2["c",1]`, `2["d",1]`, `2["e",1]`)
			c.expect(`2["a",2]`, `31[{"error":"internal error"}]`, `2["c",2]`, `2["e",2]`)
			c.sync()
			srv.Of("/").Off("e")
			c.send(`2["e",3]`)
			c.sync()
		})
	}
}
