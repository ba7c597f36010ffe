package server

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/seed58c87869/siren/room/cluster"
	"github.com/seed58c87869/siren/server/internal/collect"
)

// A question that is asked while the server closes ends with ErrClosed, and does not wait for loops that have ended.
func TestCallAllWhileClosing(t *testing.T) {
	for range 300 {
		r := newRig(t, Config{})
		// Somebody seems to be there, on a loop that does nothing any more.
		r.srv.root.rooms.Retain(r.srv.root.rooms.Everyone(), 0)
		var asking sync.WaitGroup
		begin := make(chan struct{})
		for range 8 {
			asking.Go(func() {
				<-begin
				for range 20 {
					for _, err := range CallAll[int](context.Background(), r.srv.root.all(), "q") {
						if !errors.Is(err, ErrClosed) {
							t.Error(err)
						}
					}
				}
			})
		}
		asking.Go(func() {
			<-begin
			_ = r.srv.Close()
		})
		close(begin)
		over := make(chan struct{})
		go func() { asking.Wait(); close(over) }()
		select {
		case <-over:
		case <-time.After(10 * time.Second):
			t.Fatal("a question waits for a server that has closed")
		}
	}
}

// An adapter that panics when it is to send an acknowledgement leaves the question as it was.
func TestAnswerPanics(t *testing.T) {
	r := newRig(t, Config{})
	a := newAsk(r.srv.root)
	a.Blocks()
	a.Loops, a.Expected, a.counted = 0, 2, true
	if err := a.assign(1); err != nil {
		t.Fatal(err)
	}
	r.srv.node = &node{srv: r.srv, adapter: explodingAdapter{}}
	a.relay = r.srv.node.newRelay(r.srv.root, "a", "1")
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		a.Answered(collect.Answer{}, collect.OffLoop)
	}()
	a.Left(collect.OffLoop)
	if !a.Finish(ErrTimeout, collect.OffLoop) || r.srv.root.asks.Len() != 0 {
		t.Error("it pends")
	}
}

// explodingAdapter fails to send in the worst way.
type explodingAdapter struct{ cluster.Adapter }

func (explodingAdapter) Node() string                        { return "b" }
func (explodingAdapter) Send(string, *cluster.Message) error { panic("adapter") }
