package server_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/seed58c87869/siren/server"
	"github.com/seed58c87869/siren/server/servertest"
)

// chat is a consumer; there is one for each connection.
type chat struct {
	name string
	seen int
	gone chan string
}

func (c *chat) Connect(_ context.Context, s *server.Socket, auth server.Raw) error {
	var a struct{ Name string }
	if err := auth.Unmarshal(&a); err != nil {
		return server.Refuse("name?", nil)
	}
	c.name = a.Name
	return s.Emit("hello", c.name)
}

func (c *chat) Disconnect(_ *server.Socket, r server.Reason) { c.gone <- c.name + ": " + r.String() }

func (c *chat) EventChatMessage(_ context.Context, _ *server.Socket, text string) (string, error) {
	c.seen++
	return c.name + " says " + text, nil
}
func (c *chat) EventMove(_ context.Context, s *server.Socket, x, y int) error {
	return s.Emit("at", x, y)
}
func (c *chat) EventSeen(context.Context, *server.Socket) (int, error) { return c.seen, nil }
func (c *chat) EventPing(context.Context, *server.Socket)              {}
func (c *chat) EventFail(context.Context, *server.Socket) error        { return server.Refuse("no", nil) }
func (c *chat) EventRawData(_ context.Context, _ *server.Socket, p *int, r server.Raw, rest []byte) ([]any, error) {
	return []any{*p, r, rest}, nil
}
func (c *chat) EventHTTPGetV2(context.Context, *server.Socket) error { return nil }
func (c *chat) Eventual()                                            {}
func (c *chat) Other(int) int                                        { return 0 }

// A struct's methods handle the events of one connection.
func TestRegisterMethods(t *testing.T) {
	gone := make(chan string, 8)
	srv := start(t, server.Config{}, func(srv *server.Server) {
		if err := server.Register(srv.Of("/chat"), func() *chat { return &chat{gone: gone} }); err != nil {
			t.Fatal(err)
		}
	})
	a, b := dial(t, srv), dial(t, srv)
	for c, name := range map[*client]string{a: "ann", b: "bob"} {
		c.send(`0/chat,`)
		c.expect(`4/chat,{"message":"name?"}`)
		c.send(`0/chat,{"name":"` + name + `"}`)
		c.connected("/chat,")
		c.expect(`2/chat,["hello","` + name + `"]`)
	}
	a.send(`2/chat,1["chat_message","hi"]`, `2/chat,2["move",1,2]`, `2/chat,3["seen"]`, `2/chat,4["ping"]`, `2/chat,5["fail"]`,
		`2/chat,["chat_message"]`, `2/chat,6["http_get_v2"]`, `2/chat,7["move","x"]`, `2/chat,8["ual"]`, `2/chat,9["seen"]`)
	a.expect(`3/chat,1["ann says hi"]`, `2/chat,["at",1,2]`, `3/chat,2[]`, `3/chat,3[1]`, `3/chat,4[]`, `3/chat,5[{"error":"no"}]`,
		`3/chat,6[]`, `3/chat,7[{"error":"invalid arguments"}]`, `3/chat,9[2]`)
	b.send(`2/chat,1["seen"]`, `51-/chat,2["raw_data",4,{"r":1},{"_placeholder":true,"num":0}]`)
	b.sendBinary([]byte{5})
	b.expect(`3/chat,1[0]`, `61-/chat,2[[4,{"r":1},{"_placeholder":true,"num":0}]]`, "binary 05")
	a.send("1/chat,")
	if got := receive(t, gone); got != "ann: client namespace disconnect" {
		t.Error(got)
	}
	b.close()
	if got := receive(t, gone); got != "bob: transport close" {
		t.Error(got)
	}
}

type (
	noContext    struct{}
	noSocket     struct{}
	variadic     struct{}
	twoResults   struct{}
	threeResults struct{}
	badConnect   struct{}
	badGone      struct{}
	twice        struct{}
	reserved     struct{}
	nothing      struct{}
)

func (*noContext) EventX(*server.Socket)                                       {}
func (*noSocket) EventX(context.Context)                                       {}
func (*variadic) EventX(context.Context, *server.Socket, ...int)               {}
func (*twoResults) EventX(context.Context, *server.Socket) (int, int)          { return 0, 0 }
func (*threeResults) EventX(context.Context, *server.Socket) (int, int, error) { return 0, 0, nil }
func (*badConnect) Connect(context.Context, *server.Socket) error              { return nil }
func (*badGone) Disconnect()                                                   {}
func (*twice) EventAB(context.Context, *server.Socket)                         {}
func (*twice) EventAb(context.Context, *server.Socket)                         {}
func (*reserved) EventDisconnect(context.Context, *server.Socket)              {}
func (*nothing) Eventual()                                                     {}

func TestRegisterErrors(t *testing.T) {
	srv, err := server.New(server.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for want, err := range map[string]error{
		"noContext.EventX: its first":         server.Register(srv.Of("/"), func() *noContext { return nil }),
		"noSocket.EventX: its first":          server.Register(srv.Of("/"), func() *noSocket { return nil }),
		"variadic":                            server.Register(srv.Of("/"), func() *variadic { return nil }),
		"twoResults.EventX: it must return":   server.Register(srv.Of("/"), func() *twoResults { return nil }),
		"threeResults.EventX: it must return": server.Register(srv.Of("/"), func() *threeResults { return nil }),
		"twoResults.EventX: it must return nothing, an error, or a result and an error. It is func(context.Context, *server.Socket) (int, int); " +
			"an event's method is like func(ctx context.Context, s *server.Socket, a A, b B) (R, error)": server.Register(srv.Of("/"), func() *twoResults { return nil }),
		"badConnect.Connect is func(context.Context, *server.Socket) error; it must be " +
			"func(ctx context.Context, s *server.Socket, auth server.Raw) error": server.Register(srv.Of("/"), func() *badConnect { return nil }),
		"badGone.Disconnect is func(); it must be func(s *server.Socket, r server.Reason)": server.Register(srv.Of("/"), func() *badGone { return nil }),
		`EventName("EventSay", "say"): there is no exported method`:                        server.Register(srv.Of("/"), func() *chat { return nil }, server.EventName("EventSay", "say")),
		`two methods for the event "move"`:                                                 server.Register(srv.Of("/"), func() *chat { return nil }, server.EventName("EventSeen", "move")),
		"badConnect.Connect":                                                               server.Register(srv.Of("/"), func() *badConnect { return nil }),
		"badGone.Disconnect":                                                               server.Register(srv.Of("/"), func() *badGone { return nil }),
		"reserved event name":                                                              server.Register(srv.Of("/"), func() *reserved { return nil }),
		"has no exported method":                                                           server.Register(srv.Of("/"), func() *nothing { return nil }),
		"no packet can carry":                                                              server.Register(srv.Of("/a,b"), func() *chat { return nil }),
		"needs a function":                                                                 server.Register[chat](srv.Of("/"), nil),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	if err := server.Register(srv.Of("/"), func() *reserved { return nil }); !errors.Is(err, server.ErrReserved) {
		t.Error(err)
	}
}

// named is a consumer whose methods have events of other names.
type named struct{}

func (named) EventChatMessage(context.Context, *server.Socket) (string, error) { return "message", nil }
func (named) EventHTTPGetV2(context.Context, *server.Socket) (string, error)   { return "get", nil }
func (named) Say(context.Context, *server.Socket) (string, error)              { return "say", nil }

// Events have the names that the rule, or the programmer, gives them.
func TestRegisterNames(t *testing.T) {
	for name, test := range map[string]struct {
		opts   []server.RegisterOption
		events []string
	}{
		"snake case": {nil, []string{"chat_message", "http_get_v2"}},
		"kebab case": {[]server.RegisterOption{server.EventNames(server.KebabCase)}, []string{"chat-message", "http-get-v2"}},
		"camel case": {[]server.RegisterOption{server.EventNames(server.CamelCase)}, []string{"chatMessage", "httpGetV2"}},
		"own rule":   {[]server.RegisterOption{server.EventNames(strings.ToUpper)}, []string{"CHATMESSAGE", "HTTPGETV2"}},
		"one by one": {[]server.RegisterOption{server.EventName("Say", "chat message"), server.EventName("EventChatMessage", "x:y")},
			[]string{"x:y", "http_get_v2", "chat message"}},
	} {
		t.Run(name, func(t *testing.T) {
			ts := servertest.New(t, server.Config{})
			if err := server.Register(ts.Of("/"), func() *named { return new(named) }, test.opts...); err != nil {
				t.Fatal(err)
			}
			c := ts.Client()
			for i, want := range []string{"message", "get", "say"}[:len(test.events)] {
				if a := c.EmitAck(test.events[i]); string(a.Args[0].JSON) != `"`+want+`"` {
					t.Errorf("%s: %v", test.events[i], a)
				}
			}
			if got := panicText(func() { server.On0(ts.Of("/"), test.events[0], blowUp) }); !strings.Contains(got, "already") {
				t.Errorf("a second handler of the event: %q", got)
			}
		})
	}
}

// Typed values of a socket.
func TestKeys(t *testing.T) {
	srv := start(t, server.Config{}, nil)
	_, id := joined(t, srv, "/")
	s := srv.Of("/").Socket(id)
	name, same, count := server.NewKey[string]("k"), server.NewKey[string]("k"), server.NewKey[*int]("n")
	if v, ok := name.Get(s); v != "" || ok || name.String() != "k" {
		t.Error(v, ok)
	}
	name.Set(s, "a")
	name.Set(s, "b")
	count.Set(s, nil)
	if v, ok := name.Get(s); v != "b" || !ok {
		t.Error(v, ok)
	}
	if _, ok := same.Get(s); ok {
		t.Error("two keys of one name are the same")
	}
	if v, ok := count.Get(s); v != nil || !ok {
		t.Error(v, ok)
	}
	name.Delete(s)
	name.Delete(s)
	if _, ok := name.Get(s); ok {
		t.Error("still there")
	}
	if s.Namespace() != srv.Of("/") || s.Server() != srv || s.Transport() != server.WebSocket || s.ID() != id {
		t.Error("the socket does not know itself")
	}
}
