package server

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed58c87869/siren/codec/sio"
)

// pendingAcks returns the number of acknowledgements that the socket's client owes.
func (s *Socket) pendingAcks() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.debts.All())
}

// request asks the rig's one socket in a goroutine of its own, and returns when the question is posted.
func (r *rig) request(ctx context.Context, s *Socket) <-chan error {
	out := make(chan error, 1)
	go func() {
		_, err := s.Request(ctx, "q")
		out <- err
	}()
	for r.loop.idle() {
		time.Sleep(50 * time.Microsecond)
	}
	return out
}

func (l *rigLoop) idle() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.tasks) == 0
}

// The loop's clock ends the wait, to the millisecond, and nothing stays on its wheel, however the wait ends.
func TestAckTimers(t *testing.T) {
	r := newRig(t, Config{AckTimeout: 3 * time.Second})
	_, s := r.join(t)
	timers := r.loop.Wheel().Len() // the ping's

	var told []error
	note := func(_ Reply, err error) { told = append(told, err) }
	out := r.request(context.Background(), s)
	_ = s.EmitAck(context.Background(), "q", note)
	r.loop.run()
	if n := r.loop.Wheel().Len(); n != timers+2 {
		t.Fatalf("%d timers", n-timers)
	}
	r.loop.Advance(3*time.Second - time.Millisecond)
	if s.pendingAcks() != 2 {
		t.Fatal("too early")
	}
	r.loop.Advance(time.Millisecond)
	if err := <-out; !errors.Is(err, ErrTimeout) {
		t.Error(err)
	}
	waitUntil(10*time.Second, func() bool { return r.srv.jobs.Load() == 0 })
	if len(told) != 1 || !errors.Is(told[0], ErrTimeout) {
		t.Error(told)
	}

	for _, answered := range []bool{true, false} {
		ctx, cancel := context.WithCancel(context.Background())
		out = r.request(ctx, s)
		r.loop.run()
		if answered {
			s.acknowledged(&sio.Packet{HasID: true, ID: uint64(s.debts.All()[0].Wait.ID)}, nil, false)
		} else {
			cancel()
		}
		if err := <-out; (err == nil) != answered {
			t.Error(err)
		}
		cancel()
		r.loop.run()
		if n := r.loop.Wheel().Len(); n != timers || s.pendingAcks() != 0 {
			t.Errorf("answered %v: %d timers, %d pending", answered, n-timers, s.pendingAcks())
		}
	}
	out = r.request(context.Background(), s)
	r.loop.run()
	s.Disconnect(false)
	r.loop.run()
	if err := <-out; !errors.Is(err, ErrClosed) || r.loop.Wheel().Len() != timers {
		t.Error(err, r.loop.Wheel().Len())
	}
}

// An answer that comes before its question has left, from a client that guesses, leaves no timer.
func TestAckBeforeItsEvent(t *testing.T) {
	r := newRig(t, Config{})
	_, s := r.join(t)
	timers := r.loop.Wheel().Len()
	out := r.request(context.Background(), s)
	s.acknowledged(&sio.Packet{HasID: true}, nil, false)
	if err := <-out; err != nil {
		t.Error(err)
	}
	r.loop.run()
	if n := r.loop.Wheel().Len(); n != timers {
		t.Errorf("%d timers", n-timers)
	}
}

// Answer, time-out, cancellation and the socket's end race: each wait ends once, and nothing is left.
func TestAckOutcomesRace(t *testing.T) {
	const asks = 40
	for range 20 {
		r := newRig(t, Config{AckTimeout: 2 * time.Millisecond, PingInterval: 1000 * time.Hour})
		_, s := r.join(t)
		timers := r.loop.Wheel().Len()
		var wg sync.WaitGroup
		var told, asked atomic.Int64
		ctx, cancel := context.WithCancel(context.Background())
		for i := range asks {
			wg.Go(func() {
				ctx := ctx
				if i%3 == 0 {
					ctx = s.Context()
				}
				if i%2 == 0 {
					_, _ = s.Request(ctx, "q")
					return
				}
				if s.EmitAck(ctx, "q", func(Reply, error) { told.Add(1) }) == nil {
					asked.Add(1)
				}
			})
		}
		wg.Go(cancel)
		done := make(chan struct{})
		go func() { wg.Wait(); close(done) }()
		for i, waits := uint64(0), true; waits; i++ {
			select {
			case <-done:
				waits = false
			default:
			}
			r.loop.run()
			s.acknowledged(&sio.Packet{HasID: true, ID: i % asks}, nil, false)
			if i%4 == 0 {
				r.loop.Advance(time.Millisecond)
			}
		}
		s.Disconnect(false)
		r.loop.run()
		waitUntil(10*time.Second, func() bool { return r.srv.jobs.Load() == 0 && told.Load() == asked.Load() })
		r.loop.run()
		if told.Load() != asked.Load() || s.pendingAcks() != 0 {
			t.Fatalf("%d of %d were told, %d pending", told.Load(), asked.Load(), s.pendingAcks())
		}
		if n := r.loop.Wheel().Len(); n != timers {
			t.Fatalf("%d timers are left", n-timers)
		}
	}
}

// A Close whose loops have failed ends the waits that they would have.
func TestCloseEndsAcksOfDeadLoops(t *testing.T) {
	r := newRig(t, Config{})
	_, s := r.join(t)
	out := r.request(context.Background(), s)
	r.srv.waits.End()
	if err := <-out; !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}
