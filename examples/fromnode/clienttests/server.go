// Package clienttests has the server that the official client's tests talk to, written by docs/from-node.md.
package clienttests

import (
	"context"
	"errors"
	"time"

	"github.com/seed58c87869/siren/server"
)

// Config is the server's configuration.
func Config() server.Config {
	return server.Config{
		PingInterval: 2 * time.Second,
		Recovery:     server.Recovery{MaxDisconnection: 2 * time.Minute},
		AllowRequest: func(context.Context, *server.RequestInfo) error {
			time.Sleep(10 * time.Millisecond) // the client's time-out is tested
			return nil
		},
	}
}

// mixed is a message with text and binary data.
type mixed struct {
	Hello   string
	Message []byte
	Goodbye string
}

var errWrong = errors.New("not what the client's test sends")

// Register sets the server's handlers.
func Register(srv *server.Server) {
	id := func(_ context.Context, s *server.Socket) (string, error) { return s.ID(), nil }
	server.Reply0(srv.Of("/foo"), "getId", id)
	for _, name := range []string{"/timeout_socket", "/valid", "/asd"} {
		srv.Of(name)
	}
	srv.Of("/abc").OnConnect(func(_ context.Context, s *server.Socket) error { return s.Emit("handshake", s.Handshake()) })
	srv.Of("/no").Use(func(context.Context, *server.Socket) error {
		return server.Refuse("Auth failed (custom namespace)", nil)
	})
	io := srv.Of("/")
	io.Use(func(_ context.Context, s *server.Socket) error {
		if s.Handshake().Query().Has("fail") {
			return server.Refuse("Auth failed (main namespace)", nil)
		}
		return nil
	})
	server.Reply0(io, "getId", id)
	server.Reply0(io, "getHandshake", func(_ context.Context, s *server.Socket) (any, error) { return s.Handshake(), nil })
	server.Reply1(io, "echo", func(_ context.Context, _ *server.Socket, arg any) (any, error) { return arg, nil })
	server.Reply1(io, "getAckDate", func(context.Context, *server.Socket, any) (time.Time, error) { return time.Now(), nil })
	server.On0(io, "ack", func(ctx context.Context, s *server.Socket) error {
		reply, err := s.Request(ctx, "ack")
		var a int
		var b struct{ Test bool }
		if err = errors.Join(err, reply.Decode(&a, &b)); err != nil || a != 5 || !b.Test {
			return err
		}
		return s.Emit("got it")
	})
	answers(io, "hi", "hi")
	answers(io, "false", "false", false)
	answers(io, "doge", "doge", []byte("asdfasdf"))
	answers(io, "getbin", "takebin", []byte("asdfasdf"))
	server.On0(io, "getDate", func(_ context.Context, s *server.Socket) error { return s.Emit("takeDate", time.Now()) })
	server.On0(io, "getDateObj", func(_ context.Context, s *server.Socket) error {
		return s.Emit("takeDateObj", map[string]any{"date": time.Now()})
	})
	server.On0(io, "getUtf8", func(_ context.Context, s *server.Socket) error {
		for _, text := range []string{"てすと", "Я Б Г Д Ж Й", "Ä ä Ü ü ß", "utf8 — string", "utf8 — string"} {
			if err := s.Emit("takeUtf8", text); err != nil {
				return err
			}
		}
		return nil
	})
	server.On1(io, "buffa", func(_ context.Context, s *server.Socket, _ []byte) error { return s.Emit("buffack") })
	server.On1(io, "blob", func(_ context.Context, s *server.Socket, _ []byte) error { return s.Emit("back") })
	for _, event := range []string{"jsonbuff", "jsonblob"} {
		server.On1(io, event, func(_ context.Context, s *server.Socket, m mixed) error {
			if m.Hello != "lol" || m.Message == nil || m.Goodbye != "gotcha" {
				return errWrong
			}
			return s.Emit(event + "-ack")
		})
	}
	io.OnConnect(func(_ context.Context, s *server.Socket) error { inOrder(s); return nil })
}

// answers has an event answered with another one.
func answers(io *server.Namespace, event, answer string, args ...any) {
	server.On0(io, event, func(_ context.Context, s *server.Socket) error { return s.Emit(answer, args...) })
}

// inOrder sets handlers for events that must come one after the other.
func inOrder(s *server.Socket) {
	var abuff1, blob1, blob2 bool
	server.On1(s, "abuff1", func(context.Context, *server.Socket, []byte) error { abuff1 = true; return nil })
	server.On1(s, "abuff2", func(_ context.Context, s *server.Socket, _ any) error {
		if !abuff1 {
			return errWrong
		}
		return s.Emit("abuff2-ack")
	})
	server.On1(s, "blob1", func(context.Context, *server.Socket, []byte) error { blob1 = true; return nil })
	server.On1(s, "blob2", func(_ context.Context, _ *server.Socket, a string) error {
		blob2 = blob1 && a == "second"
		return nil
	})
	server.On1(s, "blob3", func(_ context.Context, s *server.Socket, _ []byte) error {
		if !blob2 {
			return errWrong
		}
		return s.Emit("blob3-ack")
	})
}
