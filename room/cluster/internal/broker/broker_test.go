package broker

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/seed58c87869/siren/room/cluster"
	"github.com/seed58c87869/siren/room/cluster/internal/brokertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is a link that works until it is told otherwise. Safe for concurrent use.
type fake struct {
	received  atomic.Uint64
	deaf      atomic.Bool
	busySince atomic.Int64
	broken    chan struct{}
	once      sync.Once
	err       error
}

func newFake() *fake { return &fake{broken: make(chan struct{})} }

func (f *fake) Broken() <-chan struct{} { return f.broken }
func (f *fake) Err() error              { return f.err }
func (f *fake) Received() uint64        { return f.received.Load() }
func (f *fake) BusySince() int64        { return f.busySince.Load() }
func (f *fake) Fail(err error)          { f.once.Do(func() { f.err = err; close(f.broken) }) }
func (f *fake) Probe() {
	if !f.deaf.Load() {
		f.received.Add(1)
	}
}

// A link that ends is followed by another one; one that does not answer is replaced if another connection works, and
// counts as down if none does for long.
func TestKeeper(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var refused, works atomic.Bool
	works.Store(true)
	var lost, down atomic.Int32
	s := NewStatus(slog.New(slog.DiscardHandler), nil)
	failed := errors.New("refused")
	k := NewKeeper(Duties[*fake]{
		Times:  Times{StallAfter: 20 * time.Millisecond, DownAfter: 100 * time.Millisecond, RetryMax: 16 * time.Millisecond},
		Status: s, Follow: func(*fake) {}, Lost: func() { lost.Add(1) }, Down: func() { down.Add(1) },
		Connect: func(context.Context, *fake) (*fake, error) {
			if refused.Load() {
				return nil, failed
			}
			return newFake(), nil
		},
		Try: func(context.Context) error {
			if works.Load() {
				return nil
			}
			return failed
		},
	})
	go k.Run(ctx)
	up := func(not *fake) *fake {
		t.Helper()
		brokertest.Eventually(t, "a link is up", func() bool { l := k.Link(); return l != nil && l != not && s.State() == cluster.Up })
		return k.Link()
	}
	first := up(nil)
	first.Fail(errors.New("cut"))
	second := up(first)
	second.deaf.Store(true) // another connection works
	third := up(second)
	if !errors.Is(second.Err(), errReplaced) || s.Outages.Load() != 2 || lost.Load() != 2 {
		t.Error(second.Err(), s.Outages.Load(), lost.Load())
	}
	works.Store(false)
	refused.Store(true)
	third.busySince.Store(time.Now().UnixNano())
	brokertest.Eventually(t, "it is down", func() bool { return s.State() == cluster.Down })
	if h, _ := s.Get(); !errors.Is(third.Err(), errNoAnswer) || !errors.Is(h.Err, failed) || down.Load() == 0 {
		t.Error(third.Err(), h, down.Load())
	}
	ended, stop := s.WhileUp(t.Context())
	if !errors.Is(context.Cause(ended), cluster.ErrDown) {
		t.Error(context.Cause(ended))
	}
	stop(nil)
	refused.Store(false)
	up(third)
	cancel()
	<-k.Done()
}

// The queue has its bounds, and is empty when the sender is done with all that it took.
func TestOutbox(t *testing.T) {
	o := NewOutbox(3, 100)
	put := func(size int) error { return o.Put(Outgoing{Message: &cluster.Message{}, Size: size}) }
	if err := errors.Join(put(60), put(40)); err != nil {
		t.Fatal(err)
	}
	if err := put(1); !errors.Is(err, cluster.ErrFull) {
		t.Error(err)
	}
	batch := o.Take(nil, 10, 50)
	if len(batch) != 1 || batch[0].Size != 60 {
		t.Fatal(batch)
	}
	if err := errors.Join(put(60)); err != nil { // three with the one that is being sent
		t.Error(err)
	}
	if err := put(0); !errors.Is(err, cluster.ErrFull) {
		t.Error(err)
	}
	batch = o.Take(batch[:0], 10, 1000)
	empty := o.Empty()
	o.Sent(len(batch))
	select {
	case <-empty:
		t.Error("one is being sent")
	default:
	}
	o.Sent(1)
	<-empty
	if messages, bytes := o.Size(); messages+bytes != 0 {
		t.Error(messages, bytes)
	}
}

// Messages of an inbox are delivered in order, within its bounds, and none after its end.
func TestInbox(t *testing.T) {
	gate, got := make(chan struct{}), make(chan int, 10)
	in := NewInbox(Bounds{Messages: 2, Bytes: 100}, func(*int) int { return 10 }, func(m *int) { <-gate; got <- *m })
	taken := []bool{in.Put(1)}
	brokertest.Eventually(t, "the first is being delivered", func() bool {
		in.mu.Lock()
		defer in.mu.Unlock()
		return len(in.queue) == 0
	})
	taken = append(taken, in.Put(2), in.Put(3), in.Put(4))
	if in.PutAlways(5); !slices.Equal(taken, []bool{true, true, true, false}) {
		t.Error(taken)
	}
	for _, want := range []int{1, 2, 3, 5} {
		gate <- struct{}{}
		if m := <-got; m != want {
			t.Errorf("%d, want %d", m, want)
		}
	}
	in.Close()
	if !in.Put(6) {
		t.Error("a closed inbox forgets")
	}
	close(gate)
	if len(got) > 0 {
		t.Error(<-got)
	}
}
