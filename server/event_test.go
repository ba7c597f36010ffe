package server_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/seed58c87869/siren/server"
)

type status struct {
	OK bool `json:"ok"`
}

// register sets the handlers that TestEvents sends to.
func register(srv *server.Server, failed chan<- string) {
	ns := srv.Of("/")
	ns.OnError(func(_ *server.Socket, event string, err error) { failed <- event + ": " + err.Error() })
	ns.OnError(func(_ *server.Socket, event string, err error) {
		if event == "hook" {
			panic("a hook too")
		}
	})
	server.On0(ns, "hook", func(context.Context, *server.Socket) error { return io.EOF })
	for _, inline := range []bool{false, true} {
		prefix, opts := "", []server.HandlerOption(nil)
		if inline {
			prefix, opts = "inline-", []server.HandlerOption{server.Inline()}
		}
		server.On0(ns, prefix+"h0", func(context.Context, *server.Socket) error { return nil }, opts...)
		server.Reply1(ns, prefix+"h", func(_ context.Context, _ *server.Socket, in status) (status, error) {
			return status{!in.OK}, nil
		}, opts...)
		server.On1(ns, prefix+"h1", func(_ context.Context, s *server.Socket, v []int) error { return s.Emit("got", v) }, opts...)
		server.On2(ns, prefix+"move", func(_ context.Context, s *server.Socket, x, y int) error { return s.Emit("got", x, y) }, opts...)
		server.On3(ns, prefix+"h3", func(_ context.Context, s *server.Socket, a string, b any, c *bool) error {
			return s.Emit("got", a, b, c)
		}, opts...)
		server.On0(ns, prefix+"fail", func(context.Context, *server.Socket) error { return io.ErrUnexpectedEOF }, opts...)
		server.On0(ns, prefix+"refuse", func(context.Context, *server.Socket) error { return server.Refuse("no", 5) }, opts...)
		server.On0(ns, prefix+"refuse-badly", func(context.Context, *server.Socket) error { return server.Refuse("no", exploding{}) }, opts...)
		server.On0(ns, prefix+"panic", func(context.Context, *server.Socket) error { panic(io.EOF) }, opts...)
		server.Reply1(ns, prefix+"unencodable", func(context.Context, *server.Socket, any) (func(), error) { return func() {}, nil }, opts...)
		server.Reply1(ns, prefix+"explode", func(context.Context, *server.Socket, any) (exploding, error) { return exploding{}, nil }, opts...)
		ns.On(prefix+"raw", func(_ context.Context, m *server.Message) { _ = m.Ack(m.Args()...); _ = m.Ack("twice") }, opts...)
		ns.On(prefix+"none", func(context.Context, *server.Message) {}, opts...)
		ns.On(prefix+"describe", func(_ context.Context, m *server.Message) {
			_ = m.Ack(m.Event(), m.Len(), m.WantsAck(), m.Arg(1), m.Arg(-1), m.Arg(99))
		}, opts...)
		ns.On(prefix+"later", func(_ context.Context, m *server.Message) {
			kept := m.Clone()
			go func() { _ = kept.Ack(kept.Args()...) }()
		}, opts...)
	}
}

// Arguments, acknowledgements, errors and panics, on the loop and off it. Nothing ends the connection.
func TestEvents(t *testing.T) {
	failed := make(chan string, 64)
	srv := start(t, server.Config{}, func(srv *server.Server) { register(srv, failed); withSync(srv) })
	c, _ := joined(t, srv, "/")
	const internal = `31[{"error":"internal error"}]`
	for _, prefix := range []string{"", "inline-"} {
		for _, test := range []struct {
			event, args string
			want        []string
			fails       string
		}{
			{"h0", ``, []string{`31[]`}, ""},
			{"h0", `,1,2`, []string{`31[]`}, ""},
			{"h", `,{"ok":false}`, []string{`31[{"ok":true}]`}, ""},
			{"h", ``, []string{`31[{"ok":true}]`}, ""},
			{"h", `,"text"`, []string{`31[{"error":"invalid arguments"}]`}, "argument 0"},
			{"h1", `,[1,2]`, []string{`2["got",[1,2]]`, `31[]`}, ""},
			{"move", `,3,-4`, []string{`2["got",3,-4]`, `31[]`}, ""},
			{"move", `,3`, []string{`2["got",3,0]`, `31[]`}, ""},
			{"move", `,3,4,5`, []string{`2["got",3,4]`, `31[]`}, ""},
			{"move", `,3,"x"`, []string{`31[{"error":"invalid arguments"}]`}, "argument 1"},
			{"h3", `,"a",{"k":[null]},true`, []string{`2["got","a",{"k":[null]},true]`, `31[]`}, ""},
			{"fail", ``, []string{internal}, "unexpected EOF"},
			{"refuse", ``, []string{`31[{"error":"no","data":5}]`}, "no"},
			{"refuse-badly", ``, []string{`31[{"error":"no"}]`}, "no"},
			{"panic", ``, []string{internal}, "handler panicked: EOF"},
			{"unencodable", ``, []string{internal}, "cannot encode"},
			{"explode", ``, []string{internal}, "handler panicked"},
			{"raw", `, 1e3,"\u0041",{"b":[ ]} `, []string{`31[1e3,"\u0041",{"b":[ ]}]`}, ""},
			{"describe", `,1,"two"`, []string{`31["` + prefix + `describe",2,true,"two",null,null]`}, ""},
			{"later", `,1`, []string{`31[1]`}, ""},
			{"none", ``, nil, ""},
			{"unknown", ``, nil, ""},
		} {
			// Without an id there is no answer, and everything else is the same.
			c.send(fmt.Sprintf(`2["%s%s"%s]`, prefix, test.event, test.args))
			for _, w := range test.want {
				if w[0] == '2' {
					c.expect(w)
				}
			}
			c.sync()
			c.send(fmt.Sprintf(`21["%s%s"%s]`, prefix, test.event, test.args))
			c.expect(test.want...)
			c.sync()
			for fails := 0; test.fails != "" && fails < 2; fails++ {
				if test.event == "unencodable" || test.event == "explode" {
					fails++ // nothing is encoded for a client that does not ask
				}
				if got := receive(t, failed); !strings.HasPrefix(got, prefix+test.event+": ") || !strings.Contains(got, test.fails) {
					t.Errorf("%s%s: the error hook got %q", prefix, test.event, got)
				}
			}
			for test.event == "refuse-badly" && len(failed) > 0 {
				<-failed // the data's own failure
			}
		}
	}
	c.send(`2["hook"]`)
	receive(t, failed)
	c.sync()
	if len(failed) > 0 {
		t.Error("one more failure:", <-failed)
	}
	if s := srv.Stats(); s.Panics == 0 || s.Failures == 0 || s.Unhandled != 4 {
		t.Errorf("%+v", s)
	}
}

// Without a handler the arguments come back, behind the option only.
func TestEchoUnhandled(t *testing.T) {
	srv := start(t, server.Config{EchoUnhandled: true}, func(srv *server.Server) { withSync(srv) })
	c, _ := joined(t, srv, "/")
	c.send(`21["x",1,{"a":null}]`, `2["x",1]`, `22["x"]`, `51-3["x",{"_placeholder":true,"num":0}]`)
	c.sendBinary([]byte{9})
	c.expect(`31[1,{"a":null}]`, `32[]`, `61-3[{"_placeholder":true,"num":0}]`, "binary 09")
	c.sync()
}

type nested struct {
	List [][]byte       `json:"list"`
	Any  any            `json:"any"`
	Map  map[string]any `json:"map"`
}

// binaryHandlers send back what they get.
func binaryHandlers(srv *server.Server) {
	withSync(srv)
	ns := srv.Of("/")
	server.Reply1(ns, "typed", func(_ context.Context, _ *server.Socket, in nested) (nested, error) {
		in.List = append(in.List, []byte{0xff})
		return in, nil
	})
	server.Reply1(ns, "raw", func(_ context.Context, s *server.Socket, in server.Raw) (server.Raw, error) {
		return in, s.Emit("raw-back", "first", in, []byte("own"))
	})
	ns.On("inline", func(_ context.Context, m *server.Message) { _ = m.Ack(m.Args()...) }, server.Inline())
	ns.On("clone", func(_ context.Context, m *server.Message) {
		kept := m.Clone()
		go func() { _ = kept.Ack(kept.Args()...) }()
	}, server.Inline())
	ns.On("ask", func(ctx context.Context, m *server.Message) {
		got, err := server.Call[[]byte](ctx, m.Socket(), "question", []byte{7})
		_ = m.Ack(string(got), err == nil)
	})
}

// Binary data, nested, in events and acknowledgements, both ways, on both transports, as a type and raw.
func TestBinary(t *testing.T) {
	ph := func(n int) string { return fmt.Sprintf(`{"_placeholder":true,"num":%d}`, n) }
	in := `{"list":[` + ph(0) + `],"any":{"deep":[` + ph(1) + `]},"map":{"m":` + ph(0) + `}}`
	exchanges := []struct{ in, out []string }{
		{[]string{`52-1["typed",` + in + `]`, "\x01", "\x02"},
			[]string{`63-1[{"list":[` + ph(0) + `,` + ph(1) + `],"any":{"deep":[` + ph(2) + `]},"map":{"m":` + ph(0) + `}}]`, "b01", "bff", "b02"}},
		{[]string{`52-2["raw",` + in + `]`, "\x01", "\x02"},
			[]string{`53-["raw-back","first",` + in + `,` + ph(2) + `]`, "b01", "b02", "b6f776e", `62-2[` + in + `]`, "b01", "b02"}},
		{[]string{`52-3["inline",1,` + ph(1) + `,` + ph(0) + `]`, "\x01", ""},
			[]string{`62-3[1,` + ph(0) + `,` + ph(1) + `]`, "b", "b01"}},
		{[]string{`52-4["clone",1,` + ph(1) + `,` + ph(0) + `]`, "\x01", "\x02"},
			[]string{`62-4[1,` + ph(0) + `,` + ph(1) + `]`, "b02", "b01"}},
		{[]string{`25["ask"]`}, []string{`51-0["question",` + ph(0) + `]`, "b07"}},
		{[]string{`61-0[` + ph(0) + `]`, "yes"}, []string{`35["yes",true]`}},
	}
	t.Run("websocket", func(t *testing.T) {
		c, _ := joined(t, start(t, server.Config{}, binaryHandlers), "/")
		for _, x := range exchanges {
			c.send(x.in[0])
			for _, b := range x.in[1:] {
				c.sendBinary([]byte(b))
			}
			for _, want := range x.out {
				if want[0] == 'b' {
					want = "binary " + want[1:]
				}
				c.expect(want)
			}
		}
		c.sync()
	})
	t.Run("polling", func(t *testing.T) {
		p := dialPolling(t, start(t, server.Config{}, binaryHandlers))
		p.post("40")
		p.take(1)
		for _, x := range exchanges {
			body := "4" + x.in[0]
			for _, b := range x.in[1:] {
				body += "\x1eb" + base64Of([]byte(b))
			}
			p.post(body)
			got := p.take(len(x.out))
			for i, want := range x.out {
				if want[0] == 'b' {
					want = "b" + base64Of(unhex(t, want[1:]))
				} else {
					want = "4" + want
				}
				if got[i] != want {
					t.Errorf("got %s, want %s", got[i], want)
				}
			}
		}
		p.post("1")
	})
	t.Run("limits", func(t *testing.T) {
		srv := start(t, server.Config{MaxAttachments: 2, MaxPayload: 1000}, binaryHandlers)
		c, _ := joined(t, srv, "/")
		c.send(`53-1["raw",1]`)
		c.expectClosed()
	})
}

// Order 4 and 5: one at a time, in order; the end of the socket comes last; other sockets do not wait.
func TestOrderOfEvents(t *testing.T) {
	var running atomic.Int32
	release, seen := make(chan struct{}), make(chan string, 256)
	srv := start(t, server.Config{}, func(srv *server.Server) {
		withSync(srv)
		server.On1(srv.Of("/"), "n", func(_ context.Context, s *server.Socket, n int) error {
			if running.Add(1) != 1 {
				t.Error("two at a time")
			}
			if n == 0 {
				<-release
			}
			seen <- fmt.Sprint(n)
			running.Add(-1)
			return nil
		})
		srv.Of("/").OnDisconnect(func(s *server.Socket, r server.Reason) { seen <- r.String() })
	})
	c, _ := joined(t, srv, "/")
	for i := range 100 {
		c.send(fmt.Sprintf(`2["n",%d]`, i))
	}
	other, _ := joined(t, srv, "/")
	other.sync() // does not wait
	c.send("1")
	eventually(t, "the socket is gone", func() bool { return srv.Of("/").SocketCount() == 1 })
	close(release)
	for i := range 100 {
		if got := receive(t, seen); got != fmt.Sprint(i) {
			t.Fatalf("got %s, want %d", got, i)
		}
	}
	if got := receive(t, seen); got != "client namespace disconnect" {
		t.Error(got)
	}
}

// A client that sends faster than its handlers work is disconnected, by number and by size, and nobody else.
func TestInboxOverflow(t *testing.T) {
	for name, cfg := range map[string]server.Config{
		"events": {Inbox: server.Inbox{MaxEvents: 4}},
		"bytes":  {MaxPayload: 2000, Inbox: server.Inbox{MaxBytes: 4000}},
	} {
		t.Run(name, func(t *testing.T) {
			ended := make(chan server.Reason, 8)
			srv := start(t, cfg, func(srv *server.Server) {
				withSync(srv)
				srv.Of("/").On("wait", func(ctx context.Context, _ *server.Message) { <-ctx.Done() })
				srv.Of("/").OnDisconnect(func(_ *server.Socket, r server.Reason) { ended <- r })
			})
			other, _ := joined(t, srv, "/")
			c, _ := joined(t, srv, "/")
			for range 6 {
				c.send(`2["wait","` + strings.Repeat("x", 1000) + `"]`)
			}
			c.expectClosed()
			if r := receive(t, ended); r != server.ReasonForcedServerClose {
				t.Error(r)
			}
			if srv.Stats().InboxFull != 1 {
				t.Error("not counted")
			}
			other.sync()
		})
	}
}

// Listeners for all events, in and out, packet middleware, and removal.
func TestListeners(t *testing.T) {
	heard := make(chan string, 16)
	failed := make(chan string, 16)
	srv := start(t, server.Config{}, func(srv *server.Server) {
		ns := srv.Of("/")
		ns.OnAny(func(_ context.Context, m *server.Message) {
			heard <- "in " + m.Event()
			if m.Event() == "bad" {
				panic("in a listener")
			}
		})
		ns.OnAnyOutgoing(func(_ *server.Socket, event string, args []any) {
			heard <- fmt.Sprint("out ", event, args)
			panic("in a listener")
		})
		ns.UsePacket(func(_ context.Context, m *server.Message) error {
			if m.Event() == "stop" {
				return server.Refuse("stopped", nil)
			}
			return nil
		})
		ns.OnError(func(s *server.Socket, event string, err error) {
			failed <- event
			_ = s.Emit("failed") // whose listener panics
		})
		ns.On("x", func(_ context.Context, m *server.Message) {
			_ = m.Socket().Emit("y", 1)
			if err := m.Socket().Emit("connect"); !errors.Is(err, server.ErrReserved) {
				t.Error(err)
			}
			_ = m.Ack()
		}, server.Inline())
		ns.On("stop", func(context.Context, *server.Message) { t.Error("ran") })
		ns.On("off", func(context.Context, *server.Message) { t.Error("ran") })
		ns.Off("off")
	})
	c, _ := joined(t, srv, "/")
	c.send(`21["x"]`, `22["stop"]`, `23["bad"]`, `24["off"]`, `25["x"]`)
	c.expect(`2["y",1]`, `31[]`, `2["failed"]`, `32[{"error":"stopped"}]`, `2["failed"]`, `2["y",1]`, `35[]`)
	for _, want := range []string{"in x", "out y[1]", "in stop", "out failed[]", "in bad", "out failed[]", "in off", "in x", "out y[1]"} {
		if got := receive(t, heard); got != want {
			t.Errorf("heard %q, want %q", got, want)
		}
	}
	for _, want := range []string{"stop", "bad"} {
		if got := receive(t, failed); got != want {
			t.Errorf("failed %q, want %q", got, want)
		}
	}
}

// API 1: Concurrent handlers run beside each other, capped over all sockets; an error is an answer as elsewhere.
func TestConcurrent(t *testing.T) {
	var running atomic.Int32
	began, release := make(chan int, 16), make(chan struct{})
	srv := start(t, server.Config{}, func(srv *server.Server) {
		withSync(srv)
		server.Reply1(srv.Of("/"), "slow", func(_ context.Context, _ *server.Socket, n int) (int, error) {
			if running.Add(1) > 3 {
				t.Error("over the cap")
			}
			defer running.Add(-1)
			began <- n
			<-release
			if n == 0 {
				panic("oh")
			}
			return n, nil
		}, server.Concurrent(3), server.Inline())
	})
	a, _ := joined(t, srv, "/")
	b, _ := joined(t, srv, "/")
	a.send(`20["slow",0]`, `21["slow",1]`)
	b.send(`20["slow",2]`)
	for range 3 {
		receive(t, began)
	}
	b.sync() // a slot is waited for by the events behind only
	b.send(`21["slow",3]`)
	close(release)
	receive(t, began)
	got := map[string]bool{a.next().text: true, a.next().text: true}
	if !got[`30[{"error":"internal error"}]`] || !got[`31[1]`] {
		t.Error(got)
	}
	got = map[string]bool{b.next().text: true, b.next().text: true}
	if !got[`30[2]`] || !got[`31[3]`] {
		t.Error(got)
	}
}
