package session

import (
	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/poller/memory"
)

// This file counts the memory that a session holds, except its connection's queue and unconsumed input, which the
// connection counts itself.

// CountPacket enters a packet, with its attachments, that waits for one client in the ledger of its loop. Loop-only.
func CountPacket(m *memory.Ledger, f *eio.Frame) {
	for ; f != nil; f = f.Next() {
		m.Hold(f.WebSocket())
	}
}

// UncountPacket takes a packet off that CountPacket has entered. Loop-only.
func UncountPacket(m *memory.Ledger, f *eio.Frame) { uncountUntil(m, f, nil) }

// uncountUntil is UncountPacket for the frames before end.
func uncountUntil(m *memory.Ledger, f, end *eio.Frame) {
	for ; f != end; f = f.Next() {
		m.Drop(f.WebSocket())
	}
}

// packetsSample bounds the packets that PacketsHeld looks at.
const packetsSample = 64

// PacketsHeld returns one client's share of packets that CountPacket has entered. If there are many, it is an estimate.
// Loop-only.
func PacketsHeld(m *memory.Ledger, packets []*eio.Frame) int {
	sample := min(len(packets), packetsSample)
	if sample == 0 {
		return 0
	}
	sum := 0
	for i := range sample {
		for f := packets[i*len(packets)/sample]; f != nil; f = f.Next() {
			sum += m.Share(f.WebSocket())
		}
	}
	return sum * len(packets) / sample
}

// countPacket counts a packet that was pushed. A queue is counted from memory.ListMin bytes on, until it is empty,
// because counting a shorter one costs more than it holds.
func (s *Session) countPacket(f *eio.Frame) {
	p, m := s.poll, s.shard.memory
	switch {
	case p.counted:
		CountPacket(m, f)
	case p.bytes >= memory.ListMin && m.On():
		p.counted = true
		for _, f := range p.queue {
			CountPacket(m, f)
		}
		m.List((*unfetched)(s))
	}
}

// uncountFetched takes off the packets that a payload has taken from the front of the queue: whole ones, and perhaps
// the first frames of the next one. before is the queue as it was.
func (s *Session) uncountFetched(before []*eio.Frame, packets int) {
	p := s.poll
	if !p.counted {
		return
	}
	for _, f := range before[:packets] {
		UncountPacket(s.shard.memory, f)
	}
	if packets < len(before) {
		uncountUntil(s.shard.memory, before[packets], p.queue[packets])
	}
}

// uncountQueue takes off the packets that are left in the queue of a polling session.
func (s *Session) uncountQueue() {
	p, m := s.poll, s.shard.memory
	if !p.counted {
		return
	}
	p.counted = false
	for _, f := range p.queue {
		UncountPacket(m, f)
	}
	m.Unlist((*unfetched)(s))
}

// unfetched is a Session as the memory.Holder of its polling queue. Loop-owned.
type unfetched Session

// Held implements memory.Holder. It counts the packets that no GET has fetched; while a GET waits they are about to
// leave.
func (s *unfetched) Held() int {
	if p := s.poll; p != nil && p.counted && p.get.x == nil {
		return PacketsHeld(s.shard.memory, p.queue)
	}
	return 0
}

// Evict implements memory.Holder.
func (s *unfetched) Evict() { (*Session)(s).Evict() }

// Evict ends the session at once, without what is queued for it, because all clients together hold too much memory.
// Loop-only.
func (s *Session) Evict() {
	if w := s.ws; w != nil && !w.gone {
		w.gone = true
		w.out().Close()
	}
	s.abort(ReasonMemory)
}

// countFragments updates the ledger with the size of an incomplete message.
func (w *wsConn) countFragments() {
	n := w.reader.Buffered()
	if w.held&holdInflating != 0 {
		n += w.inflatingSize()
	}
	if n != int(w.fragments) {
		from := int(w.fragments)
		w.fragments = uint32(n)
		w.shard().memory.Move(w, from, n)
	}
}

// newcomer is a Session as the memory.Holder of its first request. Loop-owned.
type newcomer Session

// count enters a long first request in the ledger, or takes it off.
func (s *newcomer) count(on bool) {
	n := len(s.first)
	switch {
	case n < memory.ListMin:
	case on:
		s.shard.memory.Move(s, 0, n)
	default:
		s.shard.memory.Move(s, n, 0)
	}
}

// Held implements memory.Holder.
func (s *newcomer) Held() int { return len(s.first) }

// Evict implements memory.Holder.
func (s *newcomer) Evict() { (*Session)(s).Evict() }

// Held implements memory.Holder, on the connection's loop. It counts an incomplete message, or one that is being
// inflated.
func (w *wsConn) Held() int { return int(w.fragments) }

// Evict implements memory.Holder, on the connection's loop.
func (w *wsConn) Evict() {
	w.deaf = true
	w.conn.Close()
	w.lostLater(ReasonMemory)
}
