package webhook

import (
	"container/heap"
	"container/list"
	"time"
)

// hook is one hook on its way. Its body and id are immutable; the rest is guarded by the Sender's mutex until done is
// closed.
type hook struct {
	kind Kind
	id   string
	body []byte

	// place is where it waits for its turn; nil when it does not.
	place *list.Element
	// done is closed when there is an answer or an error. Nil for Disconnect, for which nobody waits.
	done   chan struct{}
	answer *Answer
	err    error

	// Those of Disconnect: when its first attempt was, and the next one is; and the time between the next and the one
	// after.
	first, due time.Time
	backoff    time.Duration
}

// queue are the hooks that wait for their turn, in order: those that somebody waits for, and those of Disconnect.
type queue struct {
	asked, told list.List
	// turns counts the hooks that were taken.
	turns int
}

func (q *queue) push(h *hook) {
	if h.done == nil {
		h.place = q.told.PushBack(h)
		return
	}
	h.place = q.asked.PushBack(h)
}

// toldShare is how many hooks are taken for one of Disconnect, while others wait as well: people wait for the others,
// but a backend that is always busy must still hear who has left.
const toldShare = 8

// pop takes the next hook; nil when none waits.
func (q *queue) pop() *hook {
	q.turns++
	from := &q.asked
	if from.Len() == 0 || q.turns%toldShare == 0 && q.told.Len() > 0 {
		from = &q.told
	}
	e := from.Front()
	if e == nil {
		return nil
	}
	h := from.Remove(e).(*hook)
	h.place = nil
	return h
}

// remove takes a hook out that waits. It returns false if it does not wait any more.
func (q *queue) remove(h *hook) bool {
	if h.place == nil {
		return false
	}
	if h.done == nil {
		q.told.Remove(h.place)
	} else {
		q.asked.Remove(h.place)
	}
	h.place = nil
	return true
}

// retries are the hooks of Disconnect that wait for their next attempt, the earliest first. It implements
// heap.Interface.
type retries []*hook

func (r retries) Len() int           { return len(r) }
func (r retries) Less(i, j int) bool { return r[i].due.Before(r[j].due) }
func (r retries) Swap(i, j int)      { r[i], r[j] = r[j], r[i] }

// Push implements heap.Interface.
func (r *retries) Push(x any) { *r = append(*r, x.(*hook)) }

// Pop implements heap.Interface.
func (r *retries) Pop() any {
	old := *r
	h := old[len(old)-1]
	old[len(old)-1] = nil
	*r = old[:len(old)-1]
	return h
}

// due takes the earliest one if its time has come; nil otherwise.
func (r *retries) due(now time.Time) *hook {
	if len(*r) == 0 || (*r)[0].due.After(now) {
		return nil
	}
	return heap.Pop(r).(*hook)
}
