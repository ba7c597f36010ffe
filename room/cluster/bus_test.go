package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/seed58c87869/siren/codec/sio"
	"github.com/seed58c87869/siren/room/cluster"
)

// patience is how long a test waits for what must come.
const patience = 10 * time.Second

// inbox keeps what a node receives.
type inbox chan *cluster.Message

func subscribe(t *testing.T, a cluster.Adapter, namespace string, room int) inbox {
	t.Helper()
	in := make(inbox, room)
	if err := a.Subscribe(namespace, func(m *cluster.Message) { in <- m }); err != nil {
		t.Fatal(err)
	}
	return in
}

func (in inbox) next(t *testing.T) *cluster.Message {
	t.Helper()
	select {
	case m := <-in:
		return m
	case <-time.After(patience):
		t.Fatal("nothing came")
	}
	return nil
}

// Published messages reach all other nodes of the namespace, and sent messages reach their node, each in order.
func TestBus(t *testing.T) {
	const messages, senders = 500, 2
	bus := cluster.NewBus()
	a, b, c := bus.Node("a"), bus.Node("b"), bus.Node("c")
	ina, inb, inc := subscribe(t, a, "/", 1), subscribe(t, b, "/", senders*messages), subscribe(t, c, "/", senders*messages)
	chat := subscribe(t, c, "/chat", 1)
	var publishing sync.WaitGroup
	for s, from := range []cluster.Adapter{a, c} {
		publishing.Go(func() {
			for i := range messages {
				if err := from.Publish(&cluster.Message{Kind: cluster.Broadcast, Namespace: "/", From: from.Node(), Count: i}); err != nil {
					t.Error(err)
				}
				if s == 0 && i == 0 {
					_ = from.Publish(&cluster.Message{Namespace: "/chat", From: "a"})
				}
			}
		})
		if s == 0 {
			publishing.Wait()
		}
	}
	publishing.Wait()
	next := map[string]int{}
	for range senders * messages {
		m := inb.next(t)
		if m.Count != next[m.From] {
			t.Fatalf("message %d of %s, want %d", m.Count, m.From, next[m.From])
		}
		next[m.From]++
	}
	for i := range messages {
		if m := inc.next(t); m.From != "a" || m.Count != i {
			t.Fatalf("message %d of %s, want %d of a", m.Count, m.From, i)
		}
		if m := ina.next(t); m.From != "c" || m.Count != i {
			t.Fatalf("message %d of %s, want %d of c", m.Count, m.From, i)
		}
	}
	if m := chat.next(t); m.From != "a" {
		t.Error(m)
	}
	if err := b.Send("a", &cluster.Message{Namespace: "/", Request: "r"}); err != nil || ina.next(t).Request != "r" {
		t.Error(err)
	}
	for _, nobody := range []string{"b", "x"} {
		if err := b.Send(nobody, &cluster.Message{Namespace: "/"}); err == nil {
			t.Errorf("sent to %s", nobody)
		}
	}
}

// Peers are those with the namespace; who leaves it, or the cluster, says so, and is closed for good.
func TestBusPeers(t *testing.T) {
	bus := cluster.NewBus()
	a, b, c := bus.Node("a"), bus.Node("b"), bus.Node("c")
	in := subscribe(t, a, "/", 10)
	subscribe(t, b, "/", 10)
	subscribe(t, c, "/", 10)
	subscribe(t, c, "/n", 10)
	peers := func(want ...string) {
		t.Helper()
		p, err := a.Peers(context.Background(), "/")
		if err != nil || p.Count != len(want) || !slices.Equal(p.Nodes, append([]string{}, want...)) {
			t.Errorf("got %v, want %q, %v", p, want, err)
		}
	}
	peers("b", "c")
	b.Unsubscribe("/")
	b.Unsubscribe("/")
	if m := in.next(t); m.Kind != cluster.NodeLeft || m.From != "b" {
		t.Error(m)
	}
	peers("c")
	twin := bus.Node("c")
	if err := twin.Publish(&cluster.Message{Namespace: "/"}); !errors.Is(err, cluster.ErrClosed) {
		t.Error(err)
	}
	if err := twin.Close(); err != nil {
		t.Error(err)
	}
	peers("c") // whose id the twin has wanted
	if err := errors.Join(c.Close(), c.Close()); err != nil {
		t.Error(err)
	}
	if m := in.next(t); m.Kind != cluster.NodeLeft || m.From != "c" {
		t.Error(m)
	}
	peers()
	_, err := c.Peers(context.Background(), "/")
	for _, err := range []error{
		err, c.Publish(&cluster.Message{}), c.Send("a", &cluster.Message{}), c.Subscribe("/", func(*cluster.Message) {}),
	} {
		if !errors.Is(err, cluster.ErrClosed) {
			t.Error(err)
		}
	}
	subscribe(t, bus.Node("c"), "/", 1)
	peers("c")
}

// What waits for a node is bounded, in number and in bytes; the sender is told, and the others get the message.
func TestBusBounds(t *testing.T) {
	for name, test := range map[string]struct {
		m    *cluster.Message
		most int
	}{
		"messages":    {&cluster.Message{Namespace: "/"}, 1 << 17},
		"sockets":     {&cluster.Message{Namespace: "/", Sockets: make([]cluster.Socket, 10_000)}, 100},
		"data":        {&cluster.Message{Namespace: "/", Data: sio.Raw{JSON: make([]byte, 4<<20)}}, 100},
		"attachments": {&cluster.Message{Namespace: "/", Data: sio.Raw{Attachments: [][]byte{make([]byte, 4<<20)}}}, 100},
	} {
		t.Run(name, func(t *testing.T) {
			m := test.m
			bus := cluster.NewBus()
			a, slow, quick := bus.Node("a"), bus.Node("slow"), bus.Node("quick")
			gate := make(chan struct{})
			var last sync.WaitGroup
			last.Add(1)
			once := sync.OnceFunc(last.Done)
			if err := slow.Subscribe("/", func(*cluster.Message) { <-gate; once() }); err != nil {
				t.Fatal(err)
			}
			got, sent := make(chan struct{}, 1<<20), 0
			_ = quick.Subscribe("/", func(*cluster.Message) { got <- struct{}{} })
			var err error
			for err == nil {
				err = a.Publish(m)
				<-got
				sent++
			}
			if !errors.Is(err, cluster.ErrFull) || sent < 10 || sent > test.most {
				t.Error(sent, err)
			}
			close(gate)
			last.Wait()
			_ = slow.Close()
		})
	}
}

func TestKindString(t *testing.T) {
	if got := fmt.Sprint(cluster.Broadcast, " ", cluster.Kind(99)); got != "broadcast kind 99" {
		t.Error(got)
	}
}
