package server_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/seed58c87869/siren/server"
)

// S32: settings of one namespace, and of all children of a parent, over those of the server.
func TestNamespaceSettings(t *testing.T) {
	yes, no := true, false
	srv := start(t, server.Config{MaxRooms: 3, EchoUnhandled: true}, func(srv *server.Server) {
		check := func(err error) {
			if err != nil {
				t.Error(err)
			}
		}
		parent := srv.OfRegexp(regexp.MustCompile(`^/d`))
		check(parent.Configure(server.NamespaceConfig{MaxRooms: 2, EchoUnhandled: &no}))
		own := srv.Of("/own")
		check(own.Configure(server.NamespaceConfig{MaxRooms: 1, EchoUnhandled: &no}))
		check(own.Configure(server.NamespaceConfig{MaxRooms: 4, MaxPendingAcks: 1, AckTimeout: time.Millisecond, Inbox: server.Inbox{MaxEvents: 9}}))
		no = true // the settings do not change with it
		for _, ns := range []server.Space{parent, own, srv.Of("/")} {
			server.Handle0(ns, "rooms", func(_ context.Context, s *server.Socket) error {
				for i := range 9 {
					if err := s.Join(fmt.Sprint(i)); err != nil {
						return server.Refuse(fmt.Sprintf("%d%v", i, errors.Is(err, server.ErrTooManyRooms)), nil)
					}
				}
				return nil
			})
			server.Handle(ns, "acks", func(ctx context.Context, s *server.Socket, _ server.Raw) (string, error) {
				if err := s.EmitAck(ctx, "q", func(server.Reply, error) {}); err != nil {
					return "", err
				}
				_, err := s.Request(ctx, "q")
				return fmt.Sprint(errors.Is(err, server.ErrTooManyAcks), errors.Is(err, server.ErrTimeout)), nil
			})
		}
	})
	for _, c := range []struct{ ns, rooms, echo string }{
		{"/", "3", "x"}, {"/own", "4", "x"}, {"/d1", "2", ""},
	} {
		cl := dial(t, srv)
		cl.join(c.ns)
		prefix := strings.TrimPrefix(c.ns+",", "/,")
		cl.send("2" + prefix + `1["rooms"]`)
		cl.expect("3" + prefix + `1[{"error":"` + c.rooms + `true"}]`)
		cl.send("2"+prefix+`2["echo","x"]`, "2"+prefix+`3["rooms"]`)
		if c.echo != "" {
			cl.expect("3" + prefix + `2["x"]`)
		}
		cl.expect("3" + prefix + `3[{"error":"` + c.rooms + `true"}]`)
	}
	c, _ := joined(t, srv, "/own")
	c.send(`2/own,5["acks"]`)
	c.expect(`2/own,0["q"]`)
	if m := c.next().text; m != `3/own,5["true false"]` && !strings.HasPrefix(m, `2/own,1["q"]`) {
		t.Errorf("got %s", m)
	}
	child := srv.Of("/d1")
	if err := child.Configure(server.NamespaceConfig{MaxRooms: 5, EchoUnhandled: &yes}); err != nil {
		t.Fatal(err)
	}
	d, _ := joined(t, srv, "/d1")
	d.send(`2/d1,1["rooms"]`, `2/d1,2["echo",7]`)
	d.expect(`3/d1,1[{"error":"5true"}]`, `3/d1,2[7]`)
}

// S32: the inbox of one namespace.
func TestNamespaceInbox(t *testing.T) {
	release := make(chan struct{})
	srv := start(t, server.Config{}, func(srv *server.Server) {
		withSync(srv, "/small")
		for _, name := range []string{"/", "/small"} {
			srv.Of(name).On("wait", func(context.Context, *server.Message) { <-release })
		}
		if err := srv.Of("/small").Configure(server.NamespaceConfig{Inbox: server.Inbox{MaxEvents: 2}}); err != nil {
			t.Error(err)
		}
	})
	defer close(release)
	c, _ := joined(t, srv, "/")
	d, _ := joined(t, srv, "/small")
	for range 8 {
		c.send(`2["wait"]`)
		d.send(`2/small,["wait"]`)
	}
	d.expectClosed()
	if n := srv.Stats().InboxFull; n != 1 {
		t.Errorf("%d clients disconnected", n)
	}
}

func TestNamespaceConfigErrors(t *testing.T) {
	srv, err := server.New(server.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for want, c := range map[string]server.NamespaceConfig{
		"MaxRooms": {MaxRooms: -1}, "MaxPendingAcks": {MaxPendingAcks: -1}, "AckTimeout": {AckTimeout: -1},
		"Inbox.MaxEvents": {Inbox: server.Inbox{MaxEvents: -1}}, "Inbox.MaxBytes": {Inbox: server.Inbox{MaxBytes: 10}},
	} {
		if err := srv.Of("/").Configure(c); err == nil || !strings.Contains(err.Error(), "NamespaceConfig."+want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
