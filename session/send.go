package session

import "github.com/seed58c87869/siren/codec/eio"

// SendStatus is the outcome of Send. Immutable.
type SendStatus uint8

// The outcomes of Send.
const (
	// Queued: the frame is on its way.
	Queued SendStatus = iota
	// DroppedVolatile: the client was not ready for a volatile frame.
	DroppedVolatile
	// DroppedFull: the queue was full; by the policy, the frame was dropped or the session ended.
	DroppedFull
	// NotOpen: the session has ended.
	NotOpen
)

// Send queues a frame and the attachments linked to it: all of them, or none. It neither writes nor calls the Client,
// so it may be used while iterating over members: a session that must end does so later in the turn. A volatile frame
// is dropped unless it can be sent soon: on polling if no GET waits, on a WebSocket if more than Config.VolatileBytes
// are queued.
func (s *Session) Send(f *eio.Frame, volatile bool) SendStatus {
	switch {
	case s.state != stateOpen:
		return NotOpen
	case s.ws != nil:
		return s.sendWebSocket(f, volatile)
	default:
		return s.sendPolling(f, volatile)
	}
}

func (s *Session) sendWebSocket(f *eio.Frame, volatile bool) SendStatus {
	out := s.ws.out()
	if waiting := out.QueuedBytes(); waiting > 0 {
		switch cfg := s.tuning(); {
		case volatile && waiting > cfg.VolatileBytes:
			s.shard.stats.volatile.Add(1)
			return DroppedVolatile
		case waiting+f.Size() > cfg.QueueBytes || out.QueuedFrames() >= s.shard.engine.cfg.QueueFrames:
			return s.full()
		}
	}
	return s.queueWebSocket(out, f)
}

// queueWebSocket passes a packet to the connection out. The connection refuses it only if the packet exceeds what it
// can hold, or if it is closing.
func (s *Session) queueWebSocket(out Conn, f *eio.Frame) SendStatus {
	sh := s.shard
	if sh.engine.debug.Load() {
		s.debugSent(f)
	}
	plain := s.dialect == 0 && s.ws.windowBits == 0
	for packet := f; f != nil; f = f.Next() {
		wire := f.WebSocket()
		if !plain {
			wire = s.wire(f)
		}
		if out.Queue(wire) {
			sh.traffic.Sent++
			continue
		}
		if packet.Size() > s.tuning().QueueBytes {
			s.shard.stats.slow.Add(1)
			s.doom(ReasonQueueFull)
			return DroppedFull
		}
		s.doom(ReasonTransportClose)
		return NotOpen
	}
	return Queued
}

// sendPolling adds a packet to the queue for the next GET. A volatile packet is accepted only if a GET is waiting.
func (s *Session) sendPolling(f *eio.Frame, volatile bool) SendStatus {
	p, cfg := s.poll, s.tuning()
	if volatile && (p.get.x == nil || len(p.queue) > 0) {
		s.shard.stats.volatile.Add(1)
		return DroppedVolatile
	}
	if len(p.queue) > 0 && (p.bytes+f.Size() > cfg.QueueBytes || len(p.queue) >= s.shard.engine.cfg.QueueFrames) {
		return s.full()
	}
	s.push(f)
	if p.get.x != nil {
		s.shard.flushLater(s)
	}
	return Queued
}

// full applies the policy for a queue without room for a further packet.
func (s *Session) full() SendStatus {
	switch s.tuning().OnFull {
	case DropNewest:
		s.shard.stats.full.Add(1)
	case Expendable:
		s.shard.stats.expendable.Add(1)
	default:
		s.shard.stats.slow.Add(1)
		s.doom(ReasonQueueFull)
	}
	return DroppedFull
}

// expendable reports whether nothing is lost when the client does not get what is sent to it.
func (s *Session) expendable() bool { return s.tuning().OnFull == Expendable }

// sendControl queues a packet of the protocol itself, whatever the queue holds: there is never more than one.
func (s *Session) sendControl(f *eio.Frame) {
	if s.ws == nil {
		s.push(f)
		s.shard.flushLater(s)
		return
	}
	s.queueWebSocket(s.ws.out(), f)
}

// readAheadMax is the greatest number of sessions that ReadAhead looks at in one call.
const readAheadMax = 64

// ReadAhead loads the memory that Send will need of the sessions into the processor's caches, in parallel rather than
// one by one. All sessions must belong to the calling loop. It returns the number of bytes queued for them on this
// loop's connections.
func ReadAhead(sessions []*Session) (waiting int) {
	var sockets [readAheadMax]*wsConn
	n := 0
	for _, s := range sessions[:min(len(sessions), readAheadMax)] {
		if s.ws != nil {
			sockets[n] = s.ws
			n++
		}
	}
	for _, w := range sockets[:n] {
		if w.foreign == nil {
			waiting += w.conn.QueuedBytes()
		}
	}
	return waiting
}
