package session

import (
	"errors"
	"net/netip"
	"strings"
	"time"

	"github.com/seed58c87869/siren/codec/deflate"
	"github.com/seed58c87869/siren/codec/httpwire"
	"github.com/seed58c87869/siren/poller/wheel"
)

// HTTPConn is a connection while it speaks HTTP/1.1: it reads one request at a time and holds what a client pipelines
// behind it until the answer is out, but for a POST behind a GET that waits (see pipeline). Loop-owned by the connection's loop. A request that waits in a session of
// another loop is answered through that loop's posts.
type HTTPConn struct {
	engine *Engine
	shard  *Shard
	conn   StreamConn
	// peer is nil when the connection itself tells its address.
	peer   *Peer
	parser httpwire.Parser
	timer  wheel.Timer
	// cors are the headers for the answer to the request in progress.
	cors []string
	// home is the shard whose session the request in progress waits for, nil when it waits for none; sid is that
	// session's id, and stays for the next request, which is most likely for the same one.
	home *Shard
	sid  string
	// pipe is set while a POST that was pipelined behind the request in progress is handled, for both of them.
	pipe *pipeline
	// cancel, when set, is told that the connection went away under the request in progress.
	cancel func()
	// turn counts the answers, so that one for an earlier request is known as such.
	turn  uint32
	phase httpPhase
	// last closes the connection after the answer.
	last bool
	// traits are of the request in progress.
	traits traits
	// started: some of the next request has arrived.
	started bool
	// polls: the request in progress is a GET that waits in a session.
	polls bool
	gone  bool
	// params is what a WebSocket of the request in progress would negotiate, and zero without; coding is how its answer
	// may be compressed.
	params deflate.Params
	coding deflate.Coding
}

type httpPhase uint8

const (
	// phaseHead: nothing, or part of a head, has arrived.
	phaseHead httpPhase = iota
	// phaseBody: the head has arrived, and part of the body.
	phaseBody
	// phaseBusy: a whole request waits for its answer.
	phaseBusy
	// phaseHanded: the connection is a WebSocket's, or is closing.
	phaseHanded
)

func newHTTPConn(e *Engine, sh *Shard, c StreamConn, p *Peer) *HTTPConn {
	h := &HTTPConn{engine: e, shard: sh, conn: c, peer: p}
	h.timer.Init(h)
	h.arm(e.cfg.HeaderTimeout)
	return h
}

// Loop is the connection's event loop. Immutable.
func (h *HTTPConn) Loop() Loop { return h.shard.loop }

// RemoteAddr is the peer's address, or the one that a PROXY header has told. Immutable.
func (h *HTTPConn) RemoteAddr() netip.AddrPort {
	if h.peer != nil {
		return h.peer.Addr
	}
	return h.conn.RemoteAddr()
}

// OnGone sets a function that is called when the connection closes before the request in progress is answered. It
// belongs to that request.
func (h *HTTPConn) OnGone(fn func()) { h.cancel = fn }

func (h *HTTPConn) arm(after time.Duration) {
	h.shard.loop.Wheel().Schedule(&h.timer, wheel.Deadline(h.shard.loop.Now(), after))
}

// Expire closes a connection that took too long for a head, a body, or its next request.
func (h *HTTPConn) Expire(int64) {
	defer closeOnPanic(h.conn)
	if h.phase == phaseBody || h.started {
		h.fail(408, "Request timeout")
		return
	}
	h.conn.Close()
}

// Receive implements Receiver.
func (h *HTTPConn) Receive(data []byte) (n, need int) {
	for n < len(data) {
		switch {
		case h.phase == phaseHanded:
			return h.handed(n, len(data))
		case h.phase == phaseBusy:
			if used := h.overtake(data[n:]); used > 0 {
				n += used
				continue
			}
			if len(data)-n > h.engine.cfg.MaxPipeline {
				h.conn.Close()
				return len(data), 0
			}
			return n, 0
		case h.conn.QueuedBytes() > h.engine.unreadMax():
			// It asks on and does not read what it was answered. It gets that, and no more.
			h.phase, h.last = phaseHanded, true
			h.shard.loop.Wheel().Cancel(&h.timer)
			h.conn.CloseAfterFlush()
			return len(data), 0
		}
		req := &h.shard.req
		used, err := h.parser.Parse(data[n:], &h.engine.limits, req)
		if err != nil {
			h.refuseSyntax(data[n:], err)
			return len(data), 0
		}
		if used == 0 {
			if h.waitForMore(data[n:]); h.phase == phaseHanded {
				break
			}
			return n, h.parser.Need()
		}
		n += used
		h.phase, h.started = phaseBusy, false
		h.shard.loop.Wheel().Cancel(&h.timer)
		h.route(req)
		if n < len(data) && h.shard.loop.Spend(requestWork+used/2) && h.phase == phaseHead {
			h.conn.Hold()
			h.conn.Resume()
			return n, 0
		}
	}
	if h.phase == phaseHanded {
		return h.handed(n, len(data))
	}
	return n, 0
}

// unreadMax is how many bytes of answers may wait for a client that sends further requests: the longest payload, and as
// much as it may pipeline.
func (e *Engine) unreadMax() int { return e.cfg.MaxPayload + e.cfg.MaxPipeline }

// handed leaves the rest to whoever the connection was handed to; bytes behind a last answer are nobody's.
func (h *HTTPConn) handed(n, all int) (int, int) {
	if h.last {
		return all, 0
	}
	return n, 0
}

// waitForMore is called with an incomplete request.
func (h *HTTPConn) waitForMore(data []byte) {
	if !h.parser.HeadDone() {
		if !h.started {
			// The first bytes of a request start its clock; the time of idleness is over.
			h.started = true
			h.arm(h.engine.cfg.HeaderTimeout)
		}
		return
	}
	if h.phase == phaseHead {
		h.phase = phaseBody
		h.arm(h.engine.cfg.BodyTimeout)
		if !h.routeEarly(data) {
			return
		}
	} else if h.overlong(data) {
		h.failTooLarge(&h.shard.req)
		return
	}
	if h.parser.ExpectsContinue() {
		h.conn.Queue(httpwire.ContinueResponse)
	}
}

// overlong reports whether a chunked body, which tells its length as it comes, is longer than its request may have one.
// The parser holds the bound of all requests only.
func (h *HTTPConn) overlong(data []byte) bool {
	length := h.parser.Declared()
	if length == 0 || h.parser.Need() > 0 {
		return false
	}
	r := &h.shard.req
	return h.parser.Head(data, r) == nil && length > h.engine.bodyMax(r, h.engine.ownPath(r.Path))
}

// refuseSyntax answers a request that the parser refuses. data is what it was given: a page that sent too long a body
// is to read that, so the headers for it are made of the head.
func (h *HTTPConn) refuseSyntax(data []byte, err error) {
	status, reason := 400, "Bad request"
	var bad *httpwire.Error
	if errors.As(err, &bad) {
		status, reason = bad.Status, bad.Reason
	}
	if r := &h.shard.req; status == statusTooLarge && h.parser.Head(data, r) == nil {
		if h.phase == phaseHead {
			t := h.judge(r)
			if h.settle(r, &t, 0) {
				return
			}
		}
		h.failTooLarge(r)
		return
	}
	h.fail(status, reason)
}

// fail answers a request that can't be handled, with its body read or not, and ends the connection. A session that
// waited for its body ends too, unless the body was merely too long: then the client knows that nothing of it was
// handled, and may go on, as with the reference server.
func (h *HTTPConn) fail(status int, reason string) {
	h.last = true
	if h.home != nil {
		h.leaveSession(status != statusTooLarge)
	}
	r := reply{status: status, contentType: typeText, body: []byte(reason)}
	if reason == "" {
		r = reply{status: status}
	}
	h.reply(h.turn, r)
}

// failTooLarge answers a request whose body is too long: for the engine's own path without a text, as the reference
// does.
func (h *HTTPConn) failTooLarge(r *httpwire.Request) {
	reason := ""
	if !h.engine.ownPath(r.Path) {
		reason = "body too long"
	}
	h.fail(statusTooLarge, reason)
}

// Closed implements Receiver.
func (h *HTTPConn) Closed(err error) {
	h.gone = true
	if h.pipe != nil && h.pipe.get == h {
		h.pipe.closed(err)
	}
	delete(h.shard.noted, h)
	h.shard.loop.Wheel().Cancel(&h.timer)
	h.spare().closed()
	if h.cancel != nil {
		h.cancel()
	}
	if h.home != nil {
		h.leaveSession(true)
	}
}

// leaveSession tells the session of the request in progress that it will get no answer, or no body. broken ends it.
func (h *HTTPConn) leaveSession(broken bool) {
	home, sid := h.home, h.sid
	h.home = nil
	h.shard.on(home, func() {
		if s := home.sessions[sid]; s != nil {
			defer s.EndOnPanic()
			s.onGone(h, broken)
		}
	})
}

// respondCopyMax is the longest body that Respond copies behind the head, so that both leave in one frame.
const respondCopyMax = 16 << 10

// Respond answers a request that App.Request was given. It must be called on the connection's loop, once. A long body is
// not copied: r.Body must not change any more. CORS headers are the caller's. Date is added unless the response has one.
func (h *HTTPConn) Respond(r *httpwire.Response) {
	if h.gone || h.phase != phaseBusy {
		return
	}
	out := *r
	out.Close, out.Head = r.Close || h.last, h.traits.is(isHead)
	h.last = out.Close
	if out.Date == "" && !hasDate(r.Header) {
		out.Date = h.shard.date()
	}
	if len(r.Body) > respondCopyMax {
		h.send(httpwire.AppendResponseHead(make([]byte, 0, responseHeadRoom), &out), out.SentBody())
		return
	}
	h.send(httpwire.AppendResponse(make([]byte, 0, len(r.Body)+responseHeadRoom), &out), nil)
}

// hasDate reports whether name/value pairs have a Date.
func hasDate(pairs []string) bool {
	for i := 0; i+1 < len(pairs); i += 2 {
		if strings.EqualFold(pairs[i], "Date") {
			return true
		}
	}
	return false
}
