package servertest_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/seed58c87869/siren/server"
	"github.com/seed58c87869/siren/server/servertest"
)

// outside stands for a test: an example has none.
type outside struct {
	testing.TB
	cleanup func()
}

func (o *outside) Helper()                           {}
func (o *outside) Cleanup(fn func())                 { o.cleanup = fn }
func (o *outside) Errorf(format string, args ...any) { fmt.Printf(format+"\n", args...) }
func (o *outside) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

// A chat and its test. In a test function, t is what it gets.
func ExampleNew() {
	t := &outside{}
	defer func() { t.cleanup() }()

	ts := servertest.New(t, server.Config{})
	chat := ts.Of("/chat")
	server.Reply1(chat, "say", func(_ context.Context, s *server.Socket, text string) (string, error) {
		_, err := s.Broadcast().Emit("said", text)
		return "ok", err
	})

	ann, bob := ts.Connect("/chat", nil), ts.Connect("/chat", nil)
	fmt.Println(ann.EmitAck("say", "hello"))
	fmt.Println(bob.Expect("said", "hello"))
	ann.ExpectNothing() // she has said it herself

	// Output:
	// ("ok")
	// said("hello")
}

// A client that answers no pings is gone after 45 seconds, which take no time.
func ExampleServer_Advance() {
	t := &outside{}
	defer func() { t.cleanup() }()

	ts := servertest.New(t, server.Config{})
	ts.Of("/").OnDisconnect(func(_ *server.Socket, r server.Reason) { fmt.Println(r) })

	c := ts.Client()
	ts.Advance(24 * time.Hour)
	fmt.Println("connected:", c.Connected())
	c.AnswerPings(false)
	ts.Advance(45 * time.Second)

	// Output:
	// connected: true
	// ping timeout
}

// A handler asks its client, which answers by itself.
func ExampleClient_On() {
	t := &outside{}
	defer func() { t.cleanup() }()

	ts := servertest.New(t, server.Config{})
	server.On0(ts.Of("/"), "begin", func(ctx context.Context, s *server.Socket) error {
		name, err := server.Call[string](ctx, s, "name?")
		fmt.Println(name, err)
		return err
	})

	c := ts.Client()
	c.On("name?", func(servertest.Event) []any { return []any{"Ann"} })
	c.Emit("begin")

	// Output:
	// Ann <nil>
}

// A middleware that refuses.
func ExampleClient_Refused() {
	t := &outside{}
	defer func() { t.cleanup() }()

	ts := servertest.New(t, server.Config{})
	ts.Of("/").Use(func(_ context.Context, s *server.Socket) error {
		var auth struct{ Token string }
		if _ = s.Handshake().Auth(&auth); auth.Token != "secret" {
			return server.Refuse("bad token", nil)
		}
		return nil
	})

	fmt.Println(ts.Connect("/", map[string]string{"token": "guess"}).Refused().Message)
	fmt.Println(ts.Connect("/", map[string]string{"token": "secret"}).Connected())

	// Output:
	// bad token
	// true
}

// Two sockets over one connection, which begins with polling.
func ExampleClient_Of() {
	t := &outside{}
	defer func() { t.cleanup() }()

	ts := servertest.New(t, server.Config{})
	ts.Of("/news")
	c := ts.Client(servertest.Upgrade())
	news := c.Of("/news", nil)
	_, _ = ts.Of("/news").Emit("headline", "Rain")
	fmt.Println(news.Expect("headline"))
	fmt.Println(c.Transport())

	// Output:
	// headline("Rain")
	// websocket
}
