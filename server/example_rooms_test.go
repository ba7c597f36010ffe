package server_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/seed58c87869/siren/server"
)

// newServer returns a server of the examples.
func newServer(cfg server.Config) *server.Server {
	srv, err := server.New(cfg)
	if err != nil {
		log.Fatal(err)
	}
	return srv
}

// Rooms are names. A socket joins and leaves them, and each emit names the rooms that get the event.
func ExampleNamespace_To() {
	chat := newServer(server.Config{}).Of("/chat")
	server.On1(chat, "enter", func(_ context.Context, s *server.Socket, room string) error {
		if err := s.Join(room); err != nil {
			return err
		}
		_, err := s.To(room).Emit("entered", s.ID()) // all in the room but s
		return err
	})
	// Any goroutine may emit. A socket in both rooms gets it once.
	n, err := chat.To("lobby", "harbour").Except("muted").Emit("notice", "closing at ten")
	fmt.Println(n, err)
	// Output: 0 <nil>
}

// Operators also move sockets, disconnect them and tell who they are.
func ExampleOperator_FetchSockets() {
	chat := newServer(server.Config{}).Of("/chat")
	moderate := func(ctx context.Context) error {
		if err := chat.To("guests").SocketsJoin("read only"); err != nil {
			return err
		}
		sockets, err := chat.To("read only").FetchSockets(ctx)
		if err != nil {
			return err // a *MissingError when other nodes did not answer
		}
		for _, s := range sockets {
			log.Println(s.ID(), s.Rooms(), s.Handshake().Address)
		}
		return chat.To("banned").DisconnectSockets(true)
	}
	_ = moderate // call it from a handler, or from any goroutine
}

// A volatile event is for those that can take it at once: positions, not messages.
func ExampleOperator_Volatile() {
	game := newServer(server.Config{}).Of("/game")
	server.On2(game, "move", func(_ context.Context, s *server.Socket, x, y float64) error {
		_, err := s.Broadcast().Volatile().Emit("moved", s.ID(), x, y)
		return err
	}, server.Inline()) // it waits for nothing, so it may run on the event loop
}

// Ask all clients in a room, and take their answers as they come.
func ExampleCallAll() {
	chat := newServer(server.Config{}).Of("/chat")
	server.Reply1(chat, "poll", func(ctx context.Context, _ *server.Socket, question string) (int, error) {
		sum := 0
		for vote, err := range server.CallAll[int](ctx, chat.To("lobby").Timeout(2*time.Second), "vote", question) {
			if err != nil {
				log.Println(err) // an answer that is no number; at the end, how many did not answer
				continue
			}
			sum += vote
		}
		return sum, nil
	})
}

// With On a handler gets the message itself, and may answer later.
func ExampleMessage_Ack() {
	jobs := newServer(server.Config{}).Of("/jobs")
	jobs.On("start", func(_ context.Context, m *server.Message) {
		var name string
		if err := m.Decode(&name); err != nil {
			_ = m.Ack(map[string]string{"error": "a name, please"})
			return
		}
		go func() { // the socket's next event is not kept waiting
			time.Sleep(time.Second)
			_ = m.Ack("done", name)
		}()
	})
}

// Clients make namespaces by connecting to them; all of those have their handlers from one parent.
func ExampleServer_OfFunc() {
	srv := newServer(server.Config{MaxDynamicNamespaces: 1000})
	documents := srv.OfFunc(func(ctx context.Context, name string, _ server.Raw) bool {
		return exists(ctx, name)
	})
	documents.Use(func(_ context.Context, s *server.Socket) error {
		if s.Handshake().Header("Authorization") == "" {
			return server.Refuse("sign in", nil)
		}
		return nil
	})
	server.On1(documents, "edit", func(_ context.Context, s *server.Socket, change string) error {
		_, err := s.Broadcast().Emit("edited", change) // to those with the same document
		return err
	})
	n, err := documents.Emit("notice", "saving") // to those with any document
	fmt.Println(n, err)
	// Output: 0 <nil>
}

func exists(_ context.Context, document string) bool { return document != "" }
