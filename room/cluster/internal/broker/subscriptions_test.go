package broker

import (
	"context"
	"fmt"
	"testing"
)

// subscriber is a fake link that subscribes when it is allowed to. Safe for concurrent use.
type subscriber struct {
	*fake
	begun, allowed chan struct{}
	// have belongs to the goroutine that calls Change.
	have map[string]bool
}

func newSubscriber() *subscriber {
	return &subscriber{newFake(), make(chan struct{}), make(chan struct{}), map[string]bool{}}
}

func (s *subscriber) Change(_ context.Context, add, remove []string) error {
	s.begun <- struct{}{}
	<-s.allowed
	for _, c := range add {
		s.have[c] = true
	}
	for _, c := range remove {
		delete(s.have, c)
	}
	return nil
}

// A link that was still about to subscribe when it was replaced takes nothing away from its successor: neither the
// channels that are to be subscribed there, nor their confirmation, nor a wake-up.
func TestFormerLinkTakesNothing(t *testing.T) {
	s := NewSubscriptions[string, int]()
	former, present := newSubscriber(), newSubscriber()
	if err := s.SubscribeAll(t.Context(), former); err != nil { // nothing is wanted yet
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.Follow(former)
	}()
	s.Want(map[string]int{"first": 0})
	<-former.begun
	former.Fail(ErrEnded)
	s.Reset()
	s.Drop("first")

	const most = 3*subscribeMax - 1 // three times Change
	for i := range most {
		s.Want(map[string]int{fmt.Sprint(i): i})
	}
	done := make(chan error, 1)
	go func() { done <- s.SubscribeAll(t.Context(), present) }()
	<-present.begun // it has taken the first of three parts
	former.allowed <- struct{}{}
	go func() { // it may take what is not its
		for {
			select {
			case <-former.begun:
				former.allowed <- struct{}{}
			case <-ended:
				return
			}
		}
	}()
	<-ended
	present.allowed <- struct{}{}
	for more := true; more; {
		select {
		case <-present.begun:
			present.allowed <- struct{}{}
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			more = false
		}
	}
	if n := len(present.have); n != most {
		t.Errorf("%d of %d channels are subscribed", n, most)
	}
	if ok, _ := s.isConfirmed("first"); ok {
		t.Error("a channel of the former link counts as one of the present link")
	}
	select {
	case <-s.wake:
	default:
		t.Error("the former link has taken the wake-up of the present one")
	}
}
