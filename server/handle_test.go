package server_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/seed58c87869/siren/server"
)

// registerFamilies sets a handler of each form; each emits "got" with its arguments.
func registerFamilies(ns *server.Namespace, opts ...server.HandlerOption) {
	got := func(s *server.Socket, args ...any) error { return s.Emit("got", args...) }
	server.On0(ns, "on0", func(_ context.Context, s *server.Socket) error { return got(s) }, opts...)
	server.On1(ns, "on1", func(_ context.Context, s *server.Socket, a int) error { return got(s, a) }, opts...)
	server.On2(ns, "on2", func(_ context.Context, s *server.Socket, a int, b string) error { return got(s, a, b) }, opts...)
	server.On3(ns, "on3", func(_ context.Context, s *server.Socket, a int, b string, c bool) error {
		return got(s, a, b, c)
	}, opts...)
	server.Reply0(ns, "reply0", func(_ context.Context, s *server.Socket) (string, error) { return "r", got(s) }, opts...)
	server.Reply1(ns, "reply1", func(_ context.Context, s *server.Socket, a int) (string, error) {
		return "r", got(s, a)
	}, opts...)
	server.Reply2(ns, "reply2", func(_ context.Context, s *server.Socket, a int, b string) (string, error) {
		return "r", got(s, a, b)
	}, opts...)
	server.Reply3(ns, "reply3", func(_ context.Context, s *server.Socket, a int, b string, c bool) (string, error) {
		return "r", got(s, a, b, c)
	}, opts...)
	server.OnAck0(ns, "onack0", func(_ context.Context, s *server.Socket, ack server.Ack) error {
		return errors.Join(ack("r"), got(s))
	}, opts...)
	server.OnAck1(ns, "onack1", func(_ context.Context, s *server.Socket, a int, ack server.Ack) error {
		return errors.Join(ack("r"), got(s, a))
	}, opts...)
	server.OnAck2(ns, "onack2", func(_ context.Context, s *server.Socket, a int, b string, ack server.Ack) error {
		return errors.Join(ack("r"), got(s, a, b))
	}, opts...)
	server.OnAck3(ns, "onack3", func(_ context.Context, s *server.Socket, a int, b string, c bool, ack server.Ack) error {
		return errors.Join(ack("r"), got(s, a, b, c))
	}, opts...)
}

// bothModes are the ways in which a handler runs.
var bothModes = map[string][]server.HandlerOption{"off the loop": nil, "inline": {server.Inline()}}

// Each form of typed handler takes its arguments and acknowledges in its way: with nothing, with its result, or by
// itself, before it emits.
func TestTypedHandlers(t *testing.T) {
	for name, opts := range bothModes {
		t.Run(name, func(t *testing.T) {
			srv := start(t, server.Config{}, func(srv *server.Server) { registerFamilies(srv.Of("/"), opts...); withSync(srv) })
			c, _ := joined(t, srv, "/")
			got := []string{`2["got"]`, `2["got",1]`, `2["got",1,"b"]`, `2["got",1,"b",true]`}
			zero := []string{`2["got"]`, `2["got",0]`, `2["got",0,""]`, `2["got",0,"",false]`}
			for n := range 4 {
				for event, ack := range map[string]string{"on": `31[]`, "reply": `31["r"]`} {
					c.send(fmt.Sprintf(`21["%s%d",1,"b",true,"further"]`, event, n))
					c.expect(got[n], ack)
					c.send(fmt.Sprintf(`2["%s%d"]`, event, n), fmt.Sprintf(`2["%s%d",null,null,null]`, event, n))
					c.expect(zero[n], zero[n])
				}
				c.send(fmt.Sprintf(`21["onack%d",1,"b",true]`, n))
				c.expect(`31["r"]`, got[n])
				c.send(fmt.Sprintf(`2["onack%d"]`, n))
				c.expect(zero[n])
				for _, event := range []string{"on", "reply", "onack"} {
					if n > 0 {
						c.send(fmt.Sprintf(`21["%s%d",{}]`, event, n))
						c.expect(`31[{"error":"invalid arguments"}]`)
					}
				}
			}
			c.sync()
		})
	}
}

// An Ack may be called after the handler has returned; only the first answer counts, an error of the handler too.
func TestAckLater(t *testing.T) {
	for name, opts := range bothModes {
		t.Run(name, func(t *testing.T) {
			acks := make(chan server.Ack, 8)
			srv := start(t, server.Config{}, func(srv *server.Server) {
				withSync(srv)
				server.OnAck1(srv.Of("/"), "e", func(_ context.Context, _ *server.Socket, fail bool, ack server.Ack) error {
					acks <- ack
					if fail {
						return server.Refuse("no", nil)
					}
					return nil
				}, opts...)
			})
			c, _ := joined(t, srv, "/")
			c.send(`21["e"]`, `22["e"]`, `2["e"]`, `23["e",true]`)
			c.expect(`33[{"error":"no"}]`)
			c.sync()
			for i := range 4 {
				if ack := <-acks; ack(i) != nil || ack("again") != nil {
					t.Error("an answer that nobody waits for is no error")
				}
			}
			c.expect(`31[0]`, `32[1]`)
			c.sync()
			c.send(`21["e"]`)
			ack := <-acks
			if err := errors.Join(ack("first"), ack("second")); err != nil {
				t.Error(err)
			}
			c.expect(`31["first"]`)
			c.sync()
		})
	}
}
