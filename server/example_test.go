package server_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"time"

	"github.com/seed58c87869/siren/server"
)

type chatMessage struct {
	Text string `json:"text"`
}

var userName = server.NewKey[string]("user name")

// A chat: middleware that lets in who says a name, a room, an event with an acknowledgement, and a page beside it.
func Example() {
	srv, err := server.New(server.Config{Fallback: http.FileServer(http.Dir("public"))})
	if err != nil {
		log.Fatal(err)
	}
	chat := srv.Of("/chat")
	chat.Use(func(_ context.Context, s *server.Socket) error {
		var auth struct{ Name string }
		if err := s.Handshake().Auth(&auth); err != nil || auth.Name == "" {
			return server.Refuse("say your name", nil)
		}
		userName.Set(s, auth.Name)
		return nil
	})
	chat.OnConnect(func(_ context.Context, s *server.Socket) error {
		return s.Join("lobby")
	})
	chat.OnDisconnect(func(s *server.Socket, r server.Reason) {
		name, _ := userName.Get(s)
		_, _ = chat.To("lobby").Emit("left", name, r.String())
	})
	server.Reply1(chat, "chat_message", func(_ context.Context, s *server.Socket, m chatMessage) (string, error) {
		n, err := s.To("lobby").Emit("chat_message", m)
		return fmt.Sprintf("sent to %d", n), err
	})
	ctx, cancel := context.WithCancel(context.Background())
	cancel() // as a signal would
	if err := srv.ListenAndServe(ctx, "tcp://127.0.0.1:0"); err != nil {
		log.Fatal(err)
	}
	fmt.Println("closed")
	// Output: closed
}

// The server asks, the client answers.
func ExampleCall() {
	srv, err := server.New(server.Config{})
	if err != nil {
		log.Fatal(err)
	}
	server.On0(srv.Of("/"), "start", func(ctx context.Context, s *server.Socket) error {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		name, err := server.Call[string](ctx, s, "your name?")
		if errors.Is(err, server.ErrTimeout) {
			return server.Refuse("too slow", nil)
		}
		if err != nil {
			return err
		}
		return s.Emit("hello", name)
	})
}

// Encode once, send often.
func ExamplePrepare() {
	srv, err := server.New(server.Config{})
	if err != nil {
		log.Fatal(err)
	}
	tick, err := server.Prepare("tick", 1, []byte{2, 3})
	if err != nil {
		log.Fatal(err)
	}
	n, err := srv.Of("/").To("subscribers").Volatile().EmitPrepared(tick)
	fmt.Println(n, err)
	// Output: 0 <nil>
}

// counter is a consumer: a value for each connection.
type counter struct{ n int }

// EventAdd handles the event "add".
func (c *counter) EventAdd(_ context.Context, _ *server.Socket, by int) (int, error) {
	c.n += by
	return c.n, nil
}

func ExampleRegister() {
	srv, err := server.New(server.Config{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(server.Register(srv.Of("/counter"), func() *counter { return &counter{} }))
	// Output: <nil>
}

// Siren in a program that has an HTTP server already.
func ExampleServer_Handler() {
	srv, err := server.New(server.Config{})
	if err != nil {
		log.Fatal(err)
	}
	server.Reply1(srv.Of("/"), "chat", func(_ context.Context, _ *server.Socket, m chatMessage) (int, error) {
		return srv.Emit("chat", m)
	})
	if err := srv.Start(); err != nil { // it listens nowhere
		log.Fatal(err)
	}

	mux := http.NewServeMux()
	mux.Handle("/socket.io/", srv.Handler())
	mux.Handle("/", http.FileServer(http.Dir("public")))

	web := &http.Server{Addr: ":8080", Handler: mux}
	web.RegisterOnShutdown(func() { _ = srv.Close() }) // Shutdown would wait for polling requests
	log.Fatal(web.ListenAndServe())
}
