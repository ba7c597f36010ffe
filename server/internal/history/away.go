package history

import (
	"container/list"
	"crypto/rand"
	"encoding/base64"
	"sort"
	"time"

	"github.com/seed58c87869/siren/codec/eio"
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
	// Base is the offset of the latest event before the socket entered the namespace. A client that has no offset from
	// the time since then was sent nothing.
	Base uint64
	// Arrived is the time before which emitted events have arrived, or were not for the socket. An event that was
	// emitted more than a whole heartbeat before the end of the session has arrived, because the client has answered a
	// ping that was sent after it.
	Arrived time.Duration
	// Farewell is the end of its disconnect handlers; nil if there are none.
	Farewell *Farewell
}

// Farewell notes when the disconnect handlers of an absent socket have run. Guarded by the history's mutex.
type Farewell struct {
	Over bool
	// next is called when they have run; nil if nobody waits.
	next func()
}

// PrivateID is a socket's private id. It is a secret of the client and the server, because any client that knows it may
// take over the socket.
type PrivateID [18]byte

func NewPrivateID() (p PrivateID) {
	_, _ = rand.Read(p[:]) // never fails
	return p
}

func (p PrivateID) String() string { return base64.RawURLEncoding.EncodeToString(p[:]) }

// privateIDOf parses a private id. It returns false if the text is not one.
func privateIDOf(text string) (p PrivateID, ok bool) {
	if base64.RawURLEncoding.DecodedLen(len(text)) != len(p) {
		return p, false
	}
	n, err := base64.RawURLEncoding.Decode(p[:], []byte(text))
	return p, err == nil && n == len(p)
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
func (h *History) Enter(announce func(base uint64, now time.Duration) bool) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return announce(h.next()-1, h.Now())
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

// Restore removes the absent socket with that private id, with the events that it missed after the offset, and calls
// enter, which posts its joins, before anything else can be emitted. It returns false if the socket cannot come back:
// it is unknown or has been absent for too long, it may have missed an event that is no longer stored, or enter
// returned false. No socket comes back twice.
func (h *History) Restore(pid, after string, enter func(a *Away, missed []*eio.Frame) bool) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	back := h.comeBack(pid, after, enter)
	if back {
		h.stats.Recovered.Add(1)
	} else {
		h.stats.Refused.Add(1)
	}
	return back
}

// comeBack is restore with the lock held.
func (h *History) comeBack(text, after string, enter func(a *Away, missed []*eio.Frame) bool) bool {
	pid, ok := privateIDOf(text)
	e := h.away[pid]
	if !ok || e == nil {
		return false
	}
	a := e.Value.(*Away)
	var missed []*eio.Frame
	from, ok := h.behind(a, after)
	if ok && h.inTime(a, h.Now()) {
		missed, ok = h.missed(a, from)
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
	n := a.Base
	if after != "" {
		if n, ok = offsetOf(after); !ok {
			return 0, false
		}
		if n < a.Base || n >= h.next() {
			n = a.Base // it is of another history, or of another socket of the client's: this one was sent nothing
		}
	}
	if n+1 < h.first && h.dropped >= a.Arrived {
		return 0, false
	}
	kept := h.events[h.head:]
	owed := sort.Search(len(kept), func(i int) bool { return kept[i].at >= a.Arrived })
	return max(n+1, h.first+uint64(owed)), true
}

// missed returns the events from that offset on that were for the socket. It returns false if they are too many.
func (h *History) missed(a *Away, from uint64) (frames []*eio.Frame, ok bool) {
	rooms := map[string]struct{}{a.ID: {}}
	for _, name := range a.Rooms {
		rooms[name] = struct{}{}
	}
	bytes := 0
	for i := h.head + int(from-h.first); i < len(h.events); i++ {
		if e := &h.events[i]; e.to.includes(rooms, a.User) {
			if bytes += e.frame.Size() + keptOverhead; bytes > h.replayMax {
				return nil, false
			}
			frames = append(frames, e.frame)
		}
	}
	return frames, true
}
