package session

import (
	"github.com/seed58c87869/siren/codec/eio"
)

// pollState is the polling transport of one session. Loop-owned (home loop).
type pollState struct {
	// queue has the packets that no GET has fetched yet, each with its attachments linked to it. bytes is their size as
	// Config.QueueBytes counts it (eio.Frame.Size), as for WebSockets, because an upgrade takes over the queue.
	queue []*eio.Frame
	bytes int
	// get is the waiting GET, post the POST whose body is being read or handled.
	get, post requestRef
	// upgrade is set while a WebSocket probes.
	upgrade *upgrade
	// flushing means that the session is in Shard.flushable.
	flushing bool
	// counted means that the queue is not empty, and its packets are in the loop's ledger.
	counted bool
	jsonp   jsonp
}

func (p *pollState) push(f *eio.Frame) {
	p.queue = append(p.queue, f)
	p.bytes += f.Size()
}

// push queues a packet on polling.
func (s *Session) push(f *eio.Frame) {
	if s.shard.engine.debug.Load() {
		s.debugSent(f)
	}
	s.poll.push(f)
	s.shard.traffic.Queued += f.Size()
	s.shard.traffic.Sent += packetsOf(f)
	s.countPacket(f)
}

// servePoll answers the waiting GET with the queued packets, as one payload of at most maxPayload bytes.
func (s *Session) servePoll() {
	p := s.poll
	if p.get.x == nil || s.state == stateClosed {
		return
	}
	switch {
	case s.upgrade() != nil && s.upgrade().probed:
		// After the probe the queue waits for the WebSocket, and the GET gets only a noop.
		s.answerGet(eio.NoopFrame)
		return
	case len(p.queue) > 0:
	case s.state == stateLeaving:
		s.left()
		return
	case s.state == stateClosing:
		// The close packet is alone in its payload, because a client that reads it ignores the packets before it.
		s.release(eio.CloseFrame)
		return
	default:
		return
	}
	sh, plain := s.shard, allPlain(p.queue)
	packets, bytes := s.nextPayload()
	p.take(packets, bytes)
	sh.traffic.Queued -= bytes
	if len(p.queue) == 0 {
		s.uncountQueue()
	}
	get := p.get
	p.get = requestRef{}
	r := s.payloadReply(sh.scratch)
	r.plain = plain
	get.answer(sh, r)
	if cap(sh.scratch) > scratchKeep {
		sh.scratch = nil
	}
}

// queueKeep is the largest capacity that an empty queue keeps.
const queueKeep = 4

// take removes the first packets, and their bytes, from the queue.
func (p *pollState) take(packets, bytes int) {
	p.bytes -= bytes
	rest := copy(p.queue, p.queue[packets:])
	clear(p.queue[rest:])
	if p.queue = p.queue[:rest]; rest == 0 && cap(p.queue) > queueKeep {
		p.queue = nil
	}
}

// answerGet answers the waiting GET, if there is one, with one packet. The close packet of a drain ends the connection:
// the client should come back on a new one, to another server.
func (s *Session) answerGet(f *eio.Frame) {
	get := s.poll.get
	if get.x == nil {
		return
	}
	s.poll.get = requestRef{}
	r := s.payloadReply(s.payloadOf(f))
	r.last = f == eio.CloseFrame && s.reason == ReasonDraining
	get.answer(s.shard, r)
}

// endPolls answers the waiting requests when the session ends. Queued packets are lost.
func (s *Session) endPolls(f *eio.Frame) {
	s.answerGet(f)
	if post := s.poll.post; post.x != nil {
		s.poll.post = requestRef{}
		post.refuse(s.shard, eio.BadRequest, "")
	}
	s.dropQueue()
}

// dropQueue drops the packets that no GET has fetched.
func (s *Session) dropQueue() {
	s.uncountQueue()
	s.shard.traffic.Queued -= s.poll.bytes
	s.poll.queue, s.poll.bytes = nil, 0
}

// onGet handles a GET of the client, which waits until there is something to send.
func (s *Session) onGet(a requestRef) {
	if s.poll.get.x != nil {
		// The first GET is told that the session has ended, the second that it is invalid.
		s.abort(ReasonTransportError)
		a.refuse(s.shard, eio.BadRequest, "")
		return
	}
	s.poll.get = a
	if u := s.upgrade(); u != nil && u.probed {
		// Packet "5" may be on its way on another loop: it makes this GET one too many.
		u.holdGet()
		return
	}
	s.servePoll()
}

// onPostBegun handles a POST whose head has arrived. If another POST is still unanswered, it ends the session and
// returns false.
func (s *Session) onPostBegun(a requestRef) bool {
	switch p := s.poll; p.post {
	case a:
	case requestRef{}:
		p.post = a
	default:
		s.abort(ReasonTransportError)
		a.refuse(s.shard, eio.BadRequest, "")
		return false
	}
	return true
}

// releasePost forgets the POST of that exchange, and reports whether it was the one in progress.
func (s *Session) releasePost(x *Exchange) bool {
	p := s.poll
	if p == nil || p.post.x != x {
		return false
	}
	p.post = requestRef{}
	return true
}

// onPost handles a complete POST. The session may change body during the call. binary reports whether the content type
// is binary.
func (s *Session) onPost(a requestRef, body []byte, binary bool) {
	if !s.onPostBegun(a) {
		return
	}
	payload, err := s.openPayload(body, binary)
	if err != nil {
		s.onPostEnd(a, false, err)
		return
	}
	left, more, err := s.receivePayload(&payload)
	if !more {
		s.onPostEnd(a, left, err)
		return
	}
	payload.Own()
	s.postOn(a, payload)
}

// postOn handles the rest of a POST in later turns.
func (s *Session) postOn(a requestRef, rest eio.Payload) {
	payload := &rest
	var next func()
	next = func() {
		defer s.EndOnPanic()
		if s.poll == nil || s.poll.post != a {
			return // the session has ended or uses a WebSocket, and the POST was answered
		}
		if left, more, err := s.receivePayload(payload); !more {
			s.onPostEnd(a, left, err)
			return
		}
		s.shard.loop.PostFunc(next)
	}
	s.shard.loop.PostFunc(next)
}

// onPostEnd answers a POST whose packets were handled. left reports that a close packet was among them.
func (s *Session) onPostEnd(a requestRef, left bool, err error) {
	if !s.releasePost(a.x) {
		return // the session ended in one of its packets, and answered it
	}
	switch {
	case err != nil:
		a.refuse(s.shard, eio.BadRequest, "")
		s.abort(ReasonParseError)
	case left:
		s.leave(a)
	case s.state != stateOpen:
		// The session was closed while its packets were handled, usually because one was invalid. The packets after it
		// are not handled.
		a.refuse(s.shard, eio.BadRequest, "")
	default:
		s.accept(a)
	}
}

// receivePayload handles the packets of a body in order. left reports a close packet, which ends the body. more reports
// that the turn's budget is used up and packets are left. While the engine closes, they are all handled at once.
func (s *Session) receivePayload(payload *eio.Payload) (left, more bool, err error) {
	for work := 0; s.hears(); {
		p, ok, err := payload.Next()
		if err != nil || !ok {
			return false, false, err
		}
		if p.Type == eio.Close {
			return true, false, nil
		}
		s.receive(p)
		if work += messageWork + len(p.Data)/2; work < chargeMin {
			continue
		}
		over := s.shard.loop.Spend(work)
		if work = 0; over && payload.More() && !s.shard.engine.closing.Load() {
			return false, true, nil
		}
	}
	return false, false, nil
}

// onGone tells the session that a request will get no answer, or that its answer has not reached the connection:
// packets may be lost in both cases. broken ends the session.
func (s *Session) onGone(x *Exchange, broken bool) {
	if s.poll == nil {
		return // a WebSocket has taken over, so nothing is lost
	}
	if s.poll.get.x == x {
		s.poll.get = requestRef{}
	}
	s.releasePost(x)
	if broken {
		s.abort(ReasonTransportError)
	}
}
