package history

import (
	"context"
	"crypto/rand"
	"sort"

	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/codec/sio"
	"github.com/seed58c87869/siren/room/cluster"
)

// tail is the part of a cluster's log that a history stores: its latest events, in the log's order. Absent sockets are
// sessions with the broker, which any node can take.
type tail struct {
	log       cluster.Log // immutable, as the following fields are
	namespace string
	// frame encodes an event of another node, or of this one, with an offset as its last argument.
	frame func(m *cluster.Message, offset string) (*eio.Frame, error)
	// filling has room for one: who reads older events from the log.
	filling chan struct{}

	// What follows is guarded by the history's lock. from is the offset after which all events are stored; zero before
	// the adapter has told a position. last is that of the latest event.
	from, last cluster.Offset
	// unsettled: events that were sent without an offset may still get one.
	unsettled bool
	// changed is closed at the next change; nil while nobody waits.
	changed chan struct{}
}

// noOffset is the last argument of an event after which nobody can tell what the client misses: it is no offset, so the
// client becomes a new one. Clients take a last argument that is a text for the offset, so there has to be one.
const noOffset = "-"

// Follow makes the history follow the log of a cluster. Call it before the history is used.
func (h *History) Follow(log cluster.Log, namespace string, frame func(m *cluster.Message, offset string) (*eio.Frame, error)) {
	h.tail = &tail{log: log, namespace: namespace, frame: frame, filling: make(chan struct{}, 1)}
}

// Logged reports whether the history follows the log of a cluster.
func (h *History) Logged() bool { return h != nil && h.tail != nil }

// Position takes a LogPosition.
func (h *History) Position(m *cluster.Message) {
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.tail
	t.unsettled = m.Unsettled
	if !m.Offset.IsZero() {
		h.first = h.next()
		h.events, h.head, h.bytes, h.dropped = nil, 0, 0, h.Now()
		h.index.reset()
		t.from, t.last = m.Offset, m.Offset
	}
	t.signal()
}

// signal wakes those who wait. Called with the lock held.
func (t *tail) signal() {
	if t.changed != nil {
		close(t.changed)
		t.changed = nil
	}
}

// Deliver makes send post an event of the log, or one that is not in it, and stores it for clients that come back. The
// frame's last argument is the event's offset. An event without one has that of the event before, because it is not
// sent again.
func (h *History) Deliver(m *cluster.Message, send func(f *eio.Frame) error) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.tail
	if m.From != "" { // from the adapter
		t.unsettled = m.Unsettled
	}
	if at := m.Offset; !at.IsZero() {
		t.last = at
		defer t.signal()
	}
	if !m.Repeated {
		offset := noOffset
		if !t.unsettled {
			offset = t.last.String()
		}
		f, err := t.frame(m, offset)
		if err != nil {
			return err
		}
		if err := send(f); err != nil {
			return err
		}
		if !t.unsettled && h.stores(m) {
			h.keep(h.keptEvent(m, f))
			return nil
		}
	}
	if !h.stores(m) {
		return nil
	}
	f, err := t.frame(m, m.Offset.String())
	if err == nil {
		h.keep(h.keptEvent(m, f))
	}
	return err
}

// stores reports whether an event is stored. Called with the lock held.
func (h *History) stores(m *cluster.Message) bool { return !m.Offset.IsZero() && !m.Target.Volatile }

func (h *History) keptEvent(m *cluster.Message, f *eio.Frame) keptEvent {
	to := &Audience{Rooms: m.Target.Rooms, Users: m.Target.Users, Except: m.Target.Except}
	return keptEvent{frame: f, to: to, at: h.Now(), size: f.Size() + to.size() + keptOverhead, id: m.Offset}
}

// prove sets the base of an absent socket to the latest event that has surely arrived. Called with the lock held.
func (h *History) prove(a *Away) {
	kept := h.events[h.head:]
	proven := cluster.Offset{}
	if n := sort.Search(len(kept), func(i int) bool { return kept[i].at >= a.Arrived }); n > 0 {
		proven = kept[n-1].id
	} else if h.dropped < a.Arrived {
		proven = h.tail.from
	}
	if proven.Compare(a.Base.id) > 0 {
		a.Base.id = proven
	}
	a.tag = rand.Text()
}

// Save stores the session of an absent socket with the broker. data is what other nodes may see of its values.
func (h *History) Save(a *Away, data sio.Raw) error {
	return h.tail.log.SaveSession(&cluster.Session{
		PID: string(a.PID), ID: a.ID, Namespace: h.tail.namespace, Rooms: append([]string{a.ID}, a.Rooms...), User: a.User,
		Data: data, Base: a.Base.id, Tag: a.tag,
	}, h.limits.MaxDisconnection)
}

// Recalled is an absent socket whose session this node has taken. Immutable.
type Recalled struct {
	session *cluster.Session
	// after is the offset of the latest event that the client has.
	after cluster.Offset
}

// Session returns the session, with the data that its node has shown.
func (r *Recalled) Session() *cluster.Session { return r.session }

// pidMax is the longest private id that is looked for, in bytes.
const pidMax = 64

// Recall takes the session with that private id, for a client with that offset, and prepares its return: this node must
// know all events after the offset. It returns nil if the client cannot come back. It blocks until ctx ends at most.
func (h *History) Recall(ctx context.Context, pid, after string) *Recalled {
	t := h.tail
	if pid == "" || len(pid) > pidMax || !h.await(ctx, func() bool { return !t.from.IsZero() }) {
		return nil
	}
	s, err := t.log.TakeSession(ctx, pid)
	if err != nil || s == nil || s.Namespace != "" && s.Namespace != t.namespace {
		return nil
	}
	at, ok := cluster.ParseOffset(after)
	switch {
	case !ok && (after != "" || s.Base.IsZero()):
		return nil
	case at.Compare(s.Base) < 0:
		at = s.Base
	}
	r := &Recalled{s, at}
	if !h.fill(ctx, at) || !h.await(ctx, func() bool { return !t.unsettled && at.Compare(t.last) <= 0 }) {
		return nil
	}
	return r
}

// await waits until a condition holds, which is called with the lock held. It returns false if ctx ends before.
func (h *History) await(ctx context.Context, holds func() bool) bool {
	for {
		h.mu.Lock()
		ok := holds()
		if !ok && h.tail.changed == nil {
			h.tail.changed = make(chan struct{})
		}
		changed := h.tail.changed
		h.mu.Unlock()
		if ok {
			return true
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}

// fillMax is how often fill reads what became old while it read.
const fillMax = 4

// fill makes sure that all events after an offset are stored, and reads those that are missing from the log. Clients
// that come back at the same time share what is read.
func (h *History) fill(ctx context.Context, after cluster.Offset) bool {
	t := h.tail
	select {
	case t.filling <- struct{}{}:
		defer func() { <-t.filling }()
	case <-ctx.Done():
		return false
	}
	var older []keptEvent
	begin := after
	for range fillMax {
		h.mu.Lock()
		until := t.from
		done := begin.Compare(until) >= 0
		if done && after.Compare(until) < 0 {
			done = h.prepend(after, until, older)
			h.mu.Unlock()
			return done
		}
		h.mu.Unlock()
		if done {
			return true
		}
		var ok bool
		if older, ok = h.read(ctx, begin, until, older); !ok {
			return false
		}
		begin = until
	}
	return false
}

// read appends the events after an offset up to another one. It returns false if there are too many, or some are gone.
func (h *History) read(ctx context.Context, after, until cluster.Offset, events []keptEvent) ([]keptEvent, bool) {
	bytes, fits := 0, true
	for i := range events {
		bytes += events[i].size
	}
	err := h.tail.log.ReadLog(ctx, h.tail.namespace, after, until, func(m *cluster.Message) bool {
		if !h.stores(m) {
			return true
		}
		f, err := h.tail.frame(m, m.Offset.String())
		if err != nil {
			return true // it was dropped when it came, too
		}
		e := h.keptEvent(m, f)
		bytes += e.size
		events = append(events, e)
		fits = len(events) <= h.limits.MaxPackets && bytes <= h.limits.MaxBytes
		return fits
	})
	return events, err == nil && fits
}

// prepend puts older events in front of those that are stored, up to the offset until. It returns false if there are
// too many. Called with the lock held.
func (h *History) prepend(after, until cluster.Offset, older []keptEvent) bool {
	for len(older) > 0 && older[len(older)-1].id.Compare(until) > 0 {
		older = older[:len(older)-1]
	}
	at, bytes := h.Now(), h.bytes
	if h.kept() > 0 {
		at = h.events[h.head].at
	}
	for i := range older {
		older[i].at = at // they are kept as long as the next one
		bytes += older[i].size
	}
	if h.closed || len(older)+h.kept() > h.limits.MaxPackets || bytes > h.limits.MaxBytes {
		return false
	}
	next := h.next()
	h.events = append(older, h.events[h.head:]...)
	h.head, h.bytes = 0, bytes
	h.first = next - uint64(len(h.events))
	h.enterAll()
	h.tail.from = after
	h.sweepLater()
	return true
}

// Return is Restore for a socket whose session this node has taken. It consumes the session.
func (h *History) Return(r *Recalled, enter func(a *Away, missed []*eio.Frame) bool) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	back := r != nil && h.enterAgain(r, enter)
	h.count(back)
	return back
}

// enterAgain is Return with the lock held.
func (h *History) enterAgain(r *Recalled, enter func(a *Away, missed []*eio.Frame) bool) bool {
	t, s := h.tail, r.session
	if h.closed || t.unsettled || r.after.Compare(t.from) < 0 || r.after.Compare(t.last) > 0 {
		return false
	}
	a := &Away{PID: PrivateID(s.PID), ID: s.ID, User: s.User}
	for _, room := range s.Rooms {
		if room != s.ID {
			a.Rooms = append(a.Rooms, room)
		}
	}
	e := h.away[a.PID]
	if e != nil {
		if here := e.Value.(*Away); s.Tag != "" && here.tag == s.Tag {
			a.Values, a.Farewell = here.Values, here.Farewell // it has been nowhere else since
		}
	}
	a.Base.id = r.after
	kept := h.events[h.head:]
	from := sort.Search(len(kept), func(i int) bool { return kept[i].id.Compare(r.after) > 0 })
	missed, ok := h.replay(a, h.first+uint64(from))
	if !ok || !enter(a, missed) {
		return false
	}
	if e != nil {
		h.leaving.Remove(e)
		delete(h.away, a.PID)
	}
	return true
}

// PutBack stores a session again that was taken for a client that has gone meanwhile.
func (h *History) PutBack(r *Recalled) {
	if r != nil {
		_ = h.tail.log.SaveSession(r.session, h.limits.MaxDisconnection) // the client is a new one if it fails
	}
}
