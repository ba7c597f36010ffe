package echo

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed58c87869/siren/room/cluster"
)

// taker notes what it gets: the requests of messages, with a + for those that came back.
type taker struct{ got []string }

func (k *taker) take(m *cluster.Message, own bool) {
	text := m.Request
	if own {
		text += "+"
	}
	k.got = append(k.got, text)
}

func (k *taker) want(t *testing.T, want string) {
	t.Helper()
	if got := strings.Join(k.got, " "); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	k.got = nil
}

func publish(t *testing.T, q *Queue, want uint64) {
	t.Helper()
	err := q.Publish(&cluster.Message{Request: fmt.Sprint(want)}, func(n uint64) error {
		if n != want {
			t.Errorf("number %d, want %d", n, want)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// TestQueue shows the order in which messages, and what is to be done behind them, are taken, whatever comes back.
func TestQueue(t *testing.T) {
	var k taker
	q := New(0, time.Hour, func() { t.Error("nothing is overdue") })
	defer q.Close()
	note := func(text string) func() { return func() { k.got = append(k.got, text) } }
	if q.InOrder(note("a")) {
		t.Error("nothing waits")
	}
	failed := errors.New("failed")
	if err := q.Publish(&cluster.Message{}, func(uint64) error { return failed }); !errors.Is(err, failed) {
		t.Error(err)
	}
	for n := range uint64(6) {
		publish(t, q, n+1)
		if n%2 == 0 && !q.InOrder(note(fmt.Sprintf("behind%d", n+1))) {
			t.Error("messages wait")
		}
	}
	q.Returned(1, k.take)
	k.want(t, "1+ behind1")
	if found := q.Returned(3, k.take); !found || q.Unsettled() { // the log does not have the second one
		t.Error(found)
	}
	k.want(t, "2 3+ behind3")
	q.Overdue(false, k.take)
	k.want(t, "")
	q.Overdue(true, k.take)
	k.want(t, "4 5 behind5 6")
	if !q.Unsettled() {
		t.Error("the log may tell of three more")
	}
	publish(t, q, 7)
	q.Overdue(false, k.take) // nobody waits while it does not tell
	k.want(t, "7")
	for n := uint64(4); n < 7; n++ {
		if found := q.Returned(n, k.take); found || !q.Unsettled() {
			t.Error(n, found)
		}
	}
	q.Known(100)
	if q.Unsettled() {
		t.Error("the log has told of all")
	}
	publish(t, q, 8)
	publish(t, q, 9)
	q.Lost(8, k.take)
	k.want(t, "8")
	if q.Unsettled() {
		t.Error("it will not come")
	}
	q.InOrder(note("last"))
	for _, fn := range q.Close() {
		fn()
	}
	k.want(t, "last")
	if q.InOrder(note("late")) {
		t.Error("it is closed")
	}
}

// TestOverdue shows that the owner is told when the first message has waited for too long, again for the next one, and
// that those in time go on waiting.
func TestOverdue(t *testing.T) {
	told := make(chan struct{}, 10)
	q := New(0, 20*time.Millisecond, func() { told <- struct{}{} })
	defer q.Close()
	var k taker
	for n := uint64(1); n < 4; n++ {
		publish(t, q, n)
		for len(k.got) == 0 { // a timer may run a little early
			<-told
			q.Overdue(false, k.take)
		}
		k.want(t, fmt.Sprint(n))
		q.Returned(n, k.take)
	}
	q.Close()
	publish(t, q, 4)
	if len(told) != 0 {
		t.Error("it is closed")
	}
}

// TestInOrderWaits shows that what is to be done behind a message waits until that has been taken.
func TestInOrderWaits(t *testing.T) {
	q := New(0, time.Hour, func() {})
	defer q.Close()
	var got []string
	publish(t, q, 1)
	q.Returned(1, func(*cluster.Message, bool) {
		if !q.InOrder(func() { got = append(got, "behind") }) {
			t.Error("the message is not taken yet")
		}
		got = append(got, "message")
	})
	if !slices.Equal(got, []string{"message", "behind"}) {
		t.Error(got)
	}
}
