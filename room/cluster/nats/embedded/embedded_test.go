package embedded_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/seed58c87869/siren/codec/sio"
	"github.com/seed58c87869/siren/room/cluster"
	"github.com/seed58c87869/siren/room/cluster/internal/brokertest"
	"github.com/seed58c87869/siren/room/cluster/nats"
	"github.com/seed58c87869/siren/room/cluster/nats/embedded"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) }

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// start starts a broker with a node, whose messages come in the channel.
func start(t *testing.T, listen, secret string, routes ...string) (*embedded.Broker, *nats.Adapter, chan *cluster.Message) {
	t.Helper()
	b, err := embedded.Start(embedded.Config{Listen: listen, Routes: routes, Secret: secret})
	if err != nil {
		t.Fatal(err)
	}
	a, err := nats.New(nats.Config{URL: embedded.URL, Options: b.Connect})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = a.Close()
		b.Close()
	})
	in := make(chan *cluster.Message, 1000)
	if err := a.Subscribe("/", func(m *cluster.Message) { in <- m }); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), brokertest.Patience)
	defer cancel()
	if err := a.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	return b, a, in
}

func knows(t *testing.T, a *nats.Adapter, n int) {
	t.Helper()
	brokertest.Eventually(t, fmt.Sprintf("%d other nodes are known", n), func() bool {
		p, err := a.Peers(t.Context(), "/")
		return err == nil && p.Count == n
	})
}

// Three nodes need no other program, and two that know only the third find each other. A node that ends is missed, and
// one that comes back is found.
func TestThreeNodes(t *testing.T) {
	one, two, three := freeAddress(t), freeAddress(t), freeAddress(t)
	_, a, _ := start(t, one, "secret", two, three)
	_, b, inB := start(t, two, "secret", one)
	bc, c, inC := start(t, three, "secret", one)
	for _, n := range []*nats.Adapter{a, b, c} {
		knows(t, n, 2)
	}
	send := func(from *nats.Adapter, i int, to ...chan *cluster.Message) {
		t.Helper()
		text := fmt.Sprintf(`["n",%d]`, i)
		if err := from.Publish(&cluster.Message{Kind: cluster.Broadcast, Namespace: "/", Data: sio.Raw{JSON: []byte(text)}}); err != nil {
			t.Fatal(err)
		}
		for _, in := range to {
			for {
				select {
				case m := <-in:
					if m.Kind != cluster.Broadcast {
						continue
					}
					if string(m.Data.JSON) != text {
						t.Fatalf("%s, want %s", m.Data.JSON, text)
					}
				case <-time.After(brokertest.Patience):
					t.Fatal("nothing came of", i)
				}
				break
			}
		}
	}
	for i := range 100 {
		send(a, i, inB, inC)
	}
	_ = c.Close()
	bc.Close()
	knows(t, a, 1)
	send(a, 100, inB)
	_, c, inC = start(t, three, "secret", one)
	knows(t, c, 2)
	knows(t, b, 2)
	send(b, 101, inC)
}

// A node with another secret stays alone.
func TestOtherSecret(t *testing.T) {
	one, two := freeAddress(t), freeAddress(t)
	_, a, _ := start(t, one, "secret", two)
	b, other, _ := start(t, two, "another", one)
	time.Sleep(300 * time.Millisecond) // many times what two nodes with the same secret take
	if n := b.Routes(); n != 0 {
		t.Errorf("%d routes", n)
	}
	knows(t, a, 0)
	knows(t, other, 0)
}

// What cannot work is refused at once.
func TestStartRefuses(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for want, cfg := range map[string]embedded.Config{
		"listen":          {Secret: "s"},
		"no port":         {Secret: "s", Listen: "127.0.0.1:x"},
		"secret":          {Listen: freeAddress(t)},
		"another node":    {Secret: "s", Listen: freeAddress(t), Routes: []string{"nowhere"}},
		"already in use":  {Secret: "s", Listen: l.Addr().String()},
		"missing port in": {Secret: "s", Listen: "127.0.0.1"},
	} {
		if b, err := embedded.Start(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
			if b != nil {
				b.Close()
			}
		}
	}
}
