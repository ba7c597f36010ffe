package brokertest

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/seed58c87869/siren/codec/sio"
	"github.com/seed58c87869/siren/room/cluster"
)

// pause is the time between two looks at what has to come.
const pause = 2 * time.Millisecond

// Patience is how long a test waits for what must come.
const Patience = 30 * time.Second

// Node is an adapter with a broker.
type Node interface {
	cluster.Adapter
	cluster.HealthReporter
	Ready(ctx context.Context) error
}

// Inbox keeps what a node receives.
type Inbox chan *cluster.Message

// inboxMax is more than any test sends: a node never waits for its inbox.
const inboxMax = 1 << 17

// Join gives a node the namespace "/", waits until it is up, and closes it at the end of the test.
func Join(t *testing.T, a Node) Inbox {
	t.Helper()
	t.Cleanup(func() { _ = a.Close() })
	in := make(Inbox, inboxMax)
	if err := a.Subscribe("/", func(m *cluster.Message) { in <- m }); err != nil {
		t.Fatal(err)
	}
	Ready(t, a)
	return in
}

// Next waits for the next message.
func (in Inbox) Next(t *testing.T) *cluster.Message {
	t.Helper()
	select {
	case m := <-in:
		return m
	case <-time.After(Patience):
		t.Fatal("nothing came")
	}
	return nil
}

// Ready waits until a node is up.
func Ready(t *testing.T, a Node) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	if err := a.Ready(ctx); err != nil {
		t.Fatal(err, a.Health())
	}
}

// Event is a broadcast of a node to rooms in the namespace "/", or to all.
func Event(a Node, text string, rooms ...string) *cluster.Message {
	return &cluster.Message{
		Kind: cluster.Broadcast, Namespace: "/", From: a.Node(), Target: cluster.Target{Rooms: rooms},
		Data: sio.Raw{JSON: []byte(text)},
	}
}

// Number is the text of an event with a number.
func Number(i int) string { return fmt.Sprintf(`["n",%d]`, i) }

// Eventually waits until something holds. If it does not, the test ends and shows all goroutines.
func Eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(Patience); time.Now().Before(end); time.Sleep(pause) {
		if ok() {
			return
		}
	}
	buf := make([]byte, 1<<16)
	t.Fatalf("%s: not in time\n%s", what, buf[:runtime.Stack(buf, true)])
}
