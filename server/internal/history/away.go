package history

import (
	"container/list"
	"crypto/rand"
	"encoding/base64"
	"sort"
	"time"

	"github.com/seed58c87869/siren/codec/eio"
)

// Away is what a socket comes back with. Immutable.
type Away struct {
	PID    PrivateID
	ID     string
	Rooms  []string // without its own id
	Values any      // what its keys keep
	User   string
	// since is when it ended.
	since time.Duration
	// Base is the offset of the latest event before the socket entered the namespace: a client that has no offset of the
	// time since then was sent nothing.
	Base uint64
	// Arrived is a time: the events that were emitted before it have arrived, or were not for the socket. An event that is
	// older than the end of the session by a whole heartbeat has, because the client has answered a ping that was sent
	// after it.
	Arrived time.Duration
	// Farewell is that of its disconnect handlers; nil when there are none.
	Farewell *Farewell
}

// Farewell tells when the disconnect handlers of a socket that is away have run. Guarded by the history's mutex.
type Farewell struct {
	Over bool
	// next is called then; nil when nobody waits.
	next func()
}

// PrivateID is a socket's private id: whoever knows it may take the socket over, so it is a secret of the client and the
// server.
type PrivateID [18]byte

func NewPrivateID() (p PrivateID) {
	_, _ = rand.Read(p[:]) // never fails
	return p
}

func (p PrivateID) String() string { return base64.RawURLEncoding.EncodeToString(p[:]) }

// privateIDOf is the private id with that text; false when it is none.
func privateIDOf(text string) (p PrivateID, ok bool) {
	if base64.RawURLEncoding.DecodedLen(len(text)) != len(p) {
		return p, false
	}
	n, err := base64.RawURLEncoding.Decode(p[:], []byte(text))
	return p, err == nil && n == len(p)
}

// inTime reports whether a socket that is away may come back still.
func (h *History) inTime(a *Away, now time.Duration) bool {
	return now-a.since <= h.limits.MaxDisconnection
}

// forgetAway forgets a client that is away, and gives up its id. Called with the lock held.
func (h *History) forgetAway(e *list.Element) {
	a := h.leaving.Remove(e).(*Away)
	delete(h.away, a.PID)
	h.forget(a.ID)
}

// Enter calls announce, which lets a socket into the namespace, with the offset of the latest event before that.
func (h *History) Enter(announce func(base uint64, now time.Duration) bool) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return announce(h.next()-1, h.Now())
}

// Afterwards calls next when the farewell is over, in place of what waits for that now.
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

// Over is the end of a farewell, if there is one.
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

// Leave calls end, which ends a socket, and keeps what it returns so that the socket may come back.
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

// Awaits reports whether a socket may come back still. Called with the lock held.
func (h *History) Awaits(pid PrivateID) bool {
	e := h.away[pid]
	return e != nil && h.inTime(e.Value.(*Away), h.Now())
}

// Restore takes out the socket with that private id, with what it missed behind the offset, and calls enter, which posts
// its way back into its rooms, before anything else can be emitted. It is false when the socket cannot come back: it is
// unknown or away for too long, or it may have missed an event that is not kept any more, or enter is false. Nobody
// comes back twice.
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

// behind is the offset of the first event that a socket may have missed, whose client has that offset; false when events
// that it may have missed are not kept any more.
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

// missed are the events from that offset on that were for the socket; false when they are too many.
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
