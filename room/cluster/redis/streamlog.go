package redis

import (
	"context"
	"math"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/seed58c87869/siren/room/cluster"
	"github.com/seed58c87869/siren/room/cluster/internal/broker"
	"github.com/seed58c87869/siren/room/cluster/internal/echo"
)

// The log of the streams format is the stream itself. An entry that this node adds to it for a namespace whose clients
// recover has one more field, its number, by which the node knows it when it comes back; nodes of the reference ignore
// the field.
const numberField = "no"

// Kinds of entries that are none of the stream: what the reader tells the namespaces, in order with the entries.
const (
	// entryPosition: all entries after that one follow.
	entryPosition = "position"
	// entryLost: the broker has refused the entries up to that number. entryKnown: it has not got those up to that number
	// that have not come back. entryOverdue: some have not come back in time.
	entryLost    = "lost"
	entryKnown   = "known"
	entryOverdue = "overdue"
)

// control reports whether an entry is none of the stream.
func (e *entry) control() bool {
	return e.kind == entryPosition || e.kind == entryLost || e.kind == entryKnown || e.kind == entryOverdue
}

// positionAt tells a namespace where it is in the stream.
func positionAt(at cluster.Offset) delivery {
	return delivery{role: roleBroadcast, entry: &entry{kind: entryPosition, id: at}}
}

// HasLog implements cluster.Log: only the streams format has one.
func (a *Adapter) HasLog() bool { return a.cfg.Format == Streams && !a.cfg.PublishOnly }

// SubscribeLog implements cluster.Log.
func (a *Adapter) SubscribeLog(namespace string, receive func(m *cluster.Message)) error {
	s, ok := a.format.(*streams)
	if !ok {
		return cluster.ErrUnsupported
	}
	// The lock keeps the reader from going on meanwhile.
	s.mu.Lock()
	defer s.mu.Unlock()
	sp, err := a.subscribe(namespace, receive, true)
	if err == nil && !s.last.IsZero() {
		sp.put(positionAt(s.last))
	}
	return err
}

// InOrder implements cluster.Log.
func (a *Adapter) InOrder(namespace string, fn func()) bool {
	sp := a.space(namespace)
	return sp != nil && sp.log != nil && sp.log.InOrder(fn)
}

// putEntry is put for an entry, in a namespace whose clients recover. The server is told where entries are missing.
func (sp *space) putEntry(d delivery) {
	sp.mu.Lock()
	defer sp.mu.Unlock()
	switch {
	case d.entry.control():
		sp.inbox.PutAlways(d)
		return
	case !sp.missed.IsZero():
		if !sp.inbox.Put(positionAt(sp.missed)) {
			break
		}
		sp.missed = cluster.Offset{}
	}
	if !sp.missed.IsZero() || !sp.inbox.Put(d) {
		sp.a.status.DroppedBehind.Add(1)
		sp.missed = d.entry.id
	}
}

// hurry has the inbox look at what has not come back.
func (sp *space) hurry() {
	if !sp.hurried.Swap(true) {
		sp.inbox.PutAlways(delivery{role: roleBroadcast, entry: &entry{kind: entryOverdue}})
	}
}

// close ends the delivery.
func (sp *space) close() {
	sp.inbox.Close()
	if sp.log != nil {
		for _, fn := range sp.log.Close() {
			fn()
		}
	}
}

// newLog makes the queue of a namespace whose clients recover. The namespace may have been here before, and what was
// published then may still come back. So the numbers begin at the time, which is ahead of any rate of messages.
func (sp *space) newLog() {
	sp.log = echo.New(uint64(time.Now().UnixNano()), sp.a.cfg.EchoTimeout, sp.hurry)
}

// publish queues a broadcast, and looks for it in the stream from then on. While the broker is away, this node's
// clients do not wait.
func (sp *space) publish(m *cluster.Message) error {
	err := sp.log.Publish(m, func(n uint64) error {
		return sp.a.outbox.Put(broker.Outgoing{Message: m, Size: m.Size(), Number: n})
	})
	if err != nil {
		sp.a.status.DroppedFull.Add(1)
		return err
	}
	if sp.a.status.State() != cluster.Up || sp.log.Unsettled() {
		sp.hurry()
	}
	return nil
}

// take hands over a message of this node that the stream has not returned in time.
func (sp *space) take(m *cluster.Message, _ bool) { sp.hand(m, cluster.Offset{}) }

// hand hands over a message of this node.
func (sp *space) hand(m *cluster.Message, at cluster.Offset) {
	c := *m
	c.From, c.Offset, c.Unsettled = sp.a.cfg.Node, at, at.IsZero() || sp.log.Unsettled()
	sp.receive(&c)
}

// followed handles what the reader tells, and this node's own entries. It returns false for others, which are to be
// decoded.
func (sp *space) followed(d *delivery) bool {
	e := d.entry
	switch {
	case e.kind == entryPosition:
		sp.tell(e.id)
	case e.kind == entryLost:
		sp.log.Lost(e.number, sp.take)
		sp.tell(cluster.Offset{})
	case e.kind == entryKnown:
		sp.log.Known(e.number)
		sp.tell(cluster.Offset{})
	case e.kind == entryOverdue:
		sp.hurried.Store(false)
		sp.log.Overdue(sp.a.status.State() != cluster.Up, sp.take)
	case e.uid == sp.a.cfg.Node && e.number > 0:
		return sp.log.Returned(e.number, func(m *cluster.Message, own bool) {
			if own {
				sp.hand(m, e.id)
				return
			}
			sp.take(m, false)
		})
	default:
		return e.uid == sp.a.cfg.Node
	}
	return true
}

// tell tells the server a position, or only whether messages may still get an offset.
func (sp *space) tell(at cluster.Offset) {
	sp.receive(&cluster.Message{Kind: cluster.LogPosition, Namespace: sp.name, Offset: at, Unsettled: sp.log.Unsettled()})
}

// refused tells a namespace that the broker does not take an entry.
func (a *Adapter) refused(x *broker.Outgoing) {
	if sp := a.space(x.Message.Namespace); sp != nil && sp.log != nil {
		sp.put(delivery{role: roleBroadcast, entry: &entry{kind: entryLost, number: x.Number}})
	}
}

// sending notes that an entry is about to be sent.
func (a *Adapter) sending(x *broker.Outgoing) {
	if sp := a.space(x.Message.Namespace); sp != nil && sp.log != nil {
		sp.sent.Store(x.Number)
	}
}

// settle notes, on a new link, which entries were sent on former ones: where the stream ends now, it has all of them
// that it will ever have. Called with the lock held.
func (s *streams) settle(end cluster.Offset) {
	s.settleAt, s.settling = end, map[*space]uint64{}
	for _, sp := range s.a.logged() {
		s.settling[sp] = sp.sent.Load()
	}
	s.settled()
}

// settled tells the namespaces when that is reached. Called with the lock held.
func (s *streams) settled() {
	if s.settling == nil || s.last.Compare(s.settleAt) < 0 {
		return
	}
	for sp, n := range s.settling {
		sp.put(delivery{role: roleBroadcast, entry: &entry{kind: entryKnown, number: n}})
	}
	s.settling = nil
}

// logged returns the namespaces whose clients recover.
func (a *Adapter) logged() (out []*space) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	for _, sp := range a.spaces {
		if sp.log != nil {
			out = append(out, sp)
		}
	}
	return out
}

// broken tells the namespaces that entries before first, the first one that the stream has, may be missing. Called
// with the lock held.
func (s *streams) broken(first cluster.Offset) {
	at := s.last
	if at.Minor++; at.Minor == 0 {
		at.Major++
	}
	if before := previous(first); before.Compare(at) > 0 {
		at = before
	}
	for _, sp := range s.a.logged() {
		sp.put(positionAt(at))
	}
}

// previous returns the greatest offset that is less than o; zero for zero.
func previous(o cluster.Offset) cluster.Offset {
	switch {
	case o.Minor > 0:
		o.Minor--
	case o.Major > 0:
		o.Major, o.Minor = o.Major-1, math.MaxUint64
	}
	return o
}

// ReadLog implements cluster.Log.
func (a *Adapter) ReadLog(
	ctx context.Context, namespace string, after, until cluster.Offset, each func(m *cluster.Message) bool,
) error {
	s, ok := a.format.(*streams)
	if !ok {
		return cluster.ErrUnsupported
	}
	ctx, cancel := a.status.WhileUp(ctx)
	defer cancel(nil)
	l := a.keeper.Link()
	if l == nil {
		return cluster.ErrDown
	}
	var stop bool
	sp := &space{a: a, name: namespace, receive: func(m *cluster.Message) { stop = !each(m) }}
	from, first := after.String(), true
	for !stop {
		found, err := l.client.Do(ctx, l.client.B().Xrange().Key(s.prefix).Start(from).End(until.String()).Count(readMax).Build()).AsXRange()
		if err != nil {
			return ended(ctx, err)
		}
		if first && (len(found) == 0 || found[0].ID != from) {
			return cluster.ErrGone
		}
		for i := range found {
			if first && i == 0 { // the entry at the first offset
				continue
			}
			if d, ok := s.delivery(&found[i]); ok && found[i].FieldValues["nsp"] == namespace && !stop {
				sp.replay(&d)
			}
		}
		if len(found) < readMax {
			return nil
		}
		last, ok := cluster.ParseOffset(found[len(found)-1].ID)
		if !ok {
			return errTypes
		}
		if last.Minor++; last.Minor == 0 {
			last.Major++
		}
		from, first = last.String(), false
	}
	return nil
}

// replay decodes an entry that the stream has kept. What is not in the format was counted when it came.
func (sp *space) replay(d *delivery) {
	if d.entry.kind == strconv.Itoa(int(cluster.Broadcast)) && len(d.payload) <= sp.a.cfg.MaxMessage {
		_ = sp.a.format.decode(sp, d)
	}
}

// delivery returns an entry as its namespace gets it.
func (s *streams) delivery(x *rueidis.XRangeEntry) (d delivery, ok bool) {
	e := &entry{uid: x.FieldValues["uid"], kind: x.FieldValues["type"]}
	if e.id, ok = cluster.ParseOffset(x.ID); !ok || e.control() {
		return d, false
	}
	e.number, _ = strconv.ParseUint(x.FieldValues[numberField], 10, 64)
	return delivery{role: roleBroadcast, payload: x.FieldValues["data"], entry: e}, true
}
