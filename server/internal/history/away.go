package history

import (
	"container/list"
	"crypto/rand"
	"encoding/base64"
	"sort"
	"time"

	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/codec/sio"
	"github.com/seed58c87869/siren/room/cluster"
)

// Away is the state of an absent socket, with which it comes back. Immutable.
type Away struct {
	PID    PrivateID
	ID     string
	Rooms  []string // without its own id
	Values any      // what its keys keep
	User   string
	// since is the time of the socket's end.
	since time.Duration
	// Base is the latest event before the socket entered the namespace. A client that has no offset from the time since
	// then was sent nothing.
	Base Base
	// Arrived is the time before which emitted events have arrived, or were not for the socket. An event that was
	// emitted more than a whole heartbeat before the end of the session has arrived, because the client has answered a
	// ping that was sent after it.
	Arrived time.Duration
	// Farewell is the end of its disconnect handlers; nil if there are none.
	Farewell *Farewell
	// tag tells it from other absences of the same client, at other nodes of the cluster.
	tag string
}

// Base is the position of an event. Immutable.
type Base struct {
	n  uint64
	id cluster.Offset // in the cluster's log; zero without one
}

// Farewell notes when the disconnect handlers of an absent socket have run. Guarded by the history's mutex.
type Farewell struct {
	Over bool
	// next is called when they have run; nil if nobody waits.
	next func()
}

// PrivateID is a socket's private id. It is a secret of the client and the server, because any client that knows it may
// take over the socket. Servers of the reference make others, which are texts too.
type PrivateID string

// privateBytes is the length of a private id before it is text.
const privateBytes = 18

func NewPrivateID() PrivateID {
	var b [privateBytes]byte
	_, _ = rand.Read(b[:]) // never fails
	return PrivateID(base64.RawURLEncoding.EncodeToString(b[:]))
}

// Asked returns the private id and the offset in a client's auth payload; the id is "" if there is none.
func Asked(auth string) (pid, after string) {
	var a struct {
		PID    string `json:"pid"`
		Offset string `json:"offset"`
	}
	if auth == "" || sio.Unmarshal([]byte(auth), nil, &a) != nil {
		return "", ""
	}
	return a.PID, a.Offset
}

// Asks reports whether a client says in its auth payload that it was here before.
func Asks(auth string) bool {
	pid, _ := Asked(auth)
	return pid != ""
}

// inTime reports whether an absent socket may still come back.
func (h *History) inTime(a *Away, now time.Duration) bool {
	return now-a.since <= h.limits.MaxDisconnection
}

// forgetAway forgets an absent client and releases its id. Called with the lock held.
func (h *History) forgetAway(e *list.Element) {
	a := h.leaving.Remove(e).(*Away)
	delete(h.away, a.PID)
	h.forget(a.ID)
}

// Enter calls announce, which lets a socket into the namespace, with the offset of the latest event before.
func (h *History) Enter(announce func(base Base, now time.Duration) bool) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	base := Base{n: h.next() - 1}
	if h.tail != nil {
		base.id = h.tail.last
	}
	return announce(base, h.Now())
}

// Afterwards calls next when the farewell is over. It replaces an earlier next.
func (h *History) Afterwards(f *Farewell, next func()) {
	h.mu.Lock()
	over := f.Over
	if !over {
		f.next = next
	}
	h.mu.Unlock()
	if over {
		next()
	}
}

// Over ends a farewell, if there is one.
func (h *History) Over(f *Farewell) {
	if f == nil {
		return
	}
	h.mu.Lock()
	f.Over = true
	next := f.next
	f.next = nil
	h.mu.Unlock()
	if next != nil {
		next()
	}
}

// Leave calls end, which ends a socket, and stores its result so that the socket may come back.
func (h *History) Leave(end func(now time.Duration) *Away) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.Now()
	a := end(now)
	if h.tail != nil {
		h.prove(a)
	}
	if a.since = now; h.closed {
		h.forget(a.ID)
		return
	}
	h.expire(now)
	h.away[a.PID] = h.leaving.PushBack(a)
	for h.leaving.Len() > h.limits.MaxSessions {
		h.forgetAway(h.leaving.Front())
	}
	h.sweepLater()
}

// Awaits reports whether a socket may still come back. Called with the lock held.
func (h *History) Awaits(pid PrivateID) bool {
	e := h.away[pid]
	return e != nil && h.inTime(e.Value.(*Away), h.Now())
}

// MayReturn is Awaits for callers without the lock.
func (h *History) MayReturn(pid PrivateID) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.Awaits(pid)
}

// Restore removes the absent socket with that private id, with the events that it missed after the offset, and calls
// enter, which posts its joins, before anything else can be emitted. It returns false if the socket cannot come back:
// it is unknown or has been absent for too long, it may have missed an event that is no longer stored, or enter
// returned false. No socket comes back twice.
func (h *History) Restore(pid, after string, enter func(a *Away, missed []*eio.Frame) bool) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	back := h.comeBack(PrivateID(pid), after, enter)
	h.count(back)
	return back
}

// count counts a client that came back, or could not.
func (h *History) count(back bool) {
	if back {
		h.stats.Recovered.Add(1)
	} else {
		h.stats.Refused.Add(1)
	}
}

// comeBack is restore with the lock held.
func (h *History) comeBack(pid PrivateID, after string, enter func(a *Away, missed []*eio.Frame) bool) bool {
	e := h.away[pid]
	if e == nil {
		return false
	}
	a := e.Value.(*Away)
	var missed []*eio.Frame
	from, ok := h.behind(a, after)
	if ok && h.inTime(a, h.Now()) {
		missed, ok = h.replay(a, from)
	} else {
		ok = false
	}
	if !ok || !enter(a, missed) {
		h.forgetAway(e)
		return false
	}
	h.leaving.Remove(e)
	delete(h.away, pid)
	return true
}

// behind returns the offset of the first event that a socket may have missed whose client has that offset. It returns
// false if such events are no longer stored.
func (h *History) behind(a *Away, after string) (from uint64, ok bool) {
	n := a.Base.n
	if after != "" {
		if n, ok = offsetOf(after); !ok {
			return 0, false
		}
		if n < a.Base.n || n >= h.next() {
			n = a.Base.n // it is of another history, or of another socket of the client's: this one was sent nothing
		}
	}
	if n+1 < h.first && h.dropped >= a.Arrived {
		return 0, false
	}
	kept := h.events[h.head:]
	owed := sort.Search(len(kept), func(i int) bool { return kept[i].at >= a.Arrived })
	return max(n+1, h.first+uint64(owed)), true
}

// replay returns the events from that offset on that were for the socket. It returns false if they are too many.
func (h *History) replay(a *Away, from uint64) (frames []*eio.Frame, ok bool) {
	bytes := 0
	h.missed(a, from, func(e *keptEvent) bool {
		bytes += e.frame.Size() + keptOverhead
		frames = append(frames, e.frame)
		return bytes <= h.replayMax
	})
	if bytes > h.replayMax {
		return nil, false
	}
	return frames, true
}
