package server

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
)

// A handler of Once takes one event, however many come in the same moment, and is removed.
func TestOnceTakesOne(t *testing.T) {
	r := newRig(t, Config{})
	hd := r.srv.newHandler("e", func(context.Context, *Message) error { return nil }, []HandlerOption{once})
	var taken atomic.Int32
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if hd.take() {
				taken.Add(1)
			}
		})
	}
	all.Wait()
	if taken.Load() != 1 || hd.take() {
		t.Errorf("it took %d events", taken.Load())
	}
	removed := 0
	hd.spent(Registration{func() { removed++ }})
	if removed != 1 {
		t.Errorf("removed %d times", removed)
	}
}
