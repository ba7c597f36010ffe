package session

import (
	"bytes"
	"errors"
	"time"

	"github.com/seed58c87869/siren/codec/httpwire"
	"github.com/seed58c87869/siren/poller/wheel"
)

// HTTPConn is a connection while it speaks HTTP/1.1. It reads requests, gives each of them to an exchange, and writes
// the answers in the order of the requests. One request is in progress at a time. Pipelined requests wait for it,
// except a POST behind a waiting GET (see pipelinedPost). Loop-owned by the connection's loop.
type HTTPConn struct {
	shard *Shard
	conn  StreamConn
	// peer is nil if the connection's own address counts.
	peer   *Peer
	parser httpwire.Parser
	timer  wheel.Timer
	// first is the exchange of the request in progress, or of the next one. It is reused for each request.
	first Exchange
	// second is the exchange of a POST behind the GET in first, or nil.
	second *pipelinedPost
	phase  httpPhase
	// started reports whether a part of the next request has arrived.
	started bool
	gone    bool
}

// pipelinedPost is the exchange of a POST that was pipelined behind a waiting GET. It is handled at once, because the
// GET may wait for its effect. Its answer is sent after the GET's. Loop-owned.
type pipelinedPost struct {
	Exchange
	// kept is the answer while it waits for the GET's.
	kept []byte
	// getAnswered is set when the GET is answered.
	getAnswered bool
}

type httpPhase uint8

const (
	// phaseHead: nothing, or a part of a head, has arrived.
	phaseHead httpPhase = iota
	// phaseBody: the head and perhaps a part of the body have arrived.
	phaseBody
	// phaseBusy: a whole request waits for its answer.
	phaseBusy
	// phaseHanded: the connection has become a WebSocket, which reads the rest of the input.
	phaseHanded
	// phaseEnding: the connection is closing. Further input is discarded.
	phaseEnding
)

func newHTTPConn(sh *Shard, c StreamConn, p *Peer) *HTTPConn {
	h := &HTTPConn{shard: sh, conn: c, peer: p}
	h.first.conn = h
	h.timer.Init(h)
	h.arm(sh.engine.cfg.HeaderTimeout)
	return h
}

func (h *HTTPConn) arm(after time.Duration) {
	h.shard.loop.Wheel().Schedule(&h.timer, wheel.Deadline(h.shard.loop.Now(), after))
}

// stop begins phaseHanded or phaseEnding, in which no request is read.
func (h *HTTPConn) stop(p httpPhase) {
	h.phase = p
	h.shard.loop.Wheel().Cancel(&h.timer)
}

// Expire closes a connection that took too long for a head, a body, or its next request.
func (h *HTTPConn) Expire(int64) {
	defer closeOnPanic(h.conn)
	if h.phase == phaseBody || h.started {
		h.first.fail(408, "Request timeout")
		return
	}
	h.conn.Close()
}

// Receive implements Receiver.
func (h *HTTPConn) Receive(data []byte) (n, need int) {
	e := h.shard.engine
	for n < len(data) && h.phase < phaseHanded {
		switch {
		case h.phase == phaseBusy:
			if used := h.handlePipelinedPost(data[n:]); used > 0 {
				n += used
				continue
			}
			if len(data)-n > e.cfg.MaxPipeline {
				h.conn.Close()
				return len(data), 0
			}
			return n, 0
		case h.conn.QueuedBytes() > e.unreadMax():
			// The client sends more requests without reading the answers. Flush what is queued, then close.
			h.stop(phaseEnding)
			h.conn.CloseAfterFlush()
			return len(data), 0
		}
		req := &h.shard.req
		used, err := h.parser.Parse(data[n:], &e.http, req)
		if err != nil {
			h.refuseSyntax(data[n:], err)
			return len(data), 0
		}
		if used == 0 {
			if h.waitForMore(data[n:]); h.phase >= phaseHanded {
				break
			}
			return n, h.parser.Need()
		}
		n += used
		h.phase, h.started = phaseBusy, false
		h.shard.loop.Wheel().Cancel(&h.timer)
		h.first.route(req)
		if n < len(data) && h.shard.loop.Spend(requestWork+used/2) && h.phase == phaseHead {
			h.conn.Hold()
			h.conn.Resume()
			return n, 0
		}
	}
	if h.phase == phaseEnding {
		return len(data), 0
	}
	return n, 0
}

// unreadMax returns the number of unread answer bytes above which a client that sends further requests is closed: the
// longest payload, plus as much as the client may pipeline.
func (e *Engine) unreadMax() int { return e.cfg.MaxPayload + e.cfg.MaxPipeline }

// waitForMore is called with an incomplete request.
func (h *HTTPConn) waitForMore(data []byte) {
	if !h.parser.HeadDone() {
		if !h.started {
			// The first bytes of a request end the idle time and start HeaderTimeout.
			h.started = true
			h.arm(h.shard.engine.cfg.HeaderTimeout)
		}
		return
	}
	r := &h.shard.req
	if h.phase == phaseHead {
		h.phase = phaseBody
		h.arm(h.shard.engine.cfg.BodyTimeout)
		if err := h.parser.Head(data, r); err != nil {
			h.refuseSyntax(data, err)
			return
		}
		if !h.first.routeEarly(r, h.parser.Declared()) {
			return
		}
	} else if h.overlong(data) {
		h.first.failTooLarge(r)
		return
	}
	if h.parser.ExpectsContinue() {
		h.conn.Queue(httpwire.ContinueResponse)
	}
}

// overlong reports whether a chunked body, whose length shows only as it arrives, is longer than its request's may be.
// The parser checks only the largest limit of all requests.
func (h *HTTPConn) overlong(data []byte) bool {
	length := h.parser.Declared()
	if length == 0 || h.parser.Need() > 0 {
		return false
	}
	r, e := &h.shard.req, h.shard.engine
	return h.parser.Head(data, r) == nil && length > e.bodyMax(r, e.ownPath(r.Path))
}

// refuseSyntax answers a request that the parser refuses. data is the parser's input. If the body is too long, the
// answer has the CORS fields, so that a page can read the status.
func (h *HTTPConn) refuseSyntax(data []byte, err error) {
	x, status, reason := &h.first, 400, "Bad request"
	var bad *httpwire.Error
	if errors.As(err, &bad) {
		status, reason = bad.Status, bad.Reason
	}
	r := &h.shard.req
	if status != statusTooLarge || h.parser.Head(data, r) != nil {
		x.fail(status, reason)
		return
	}
	if h.phase == phaseHead {
		if _, done := x.decide(r, 0); done {
			return
		}
	}
	x.failTooLarge(r)
}

// handlePipelinedPost handles a complete POST behind the waiting GET, if there is one, and returns its length. It
// handles one at a time.
func (h *HTTPConn) handlePipelinedPost(data []byte) int {
	get, e := &h.first, h.shard.engine
	if !get.polls || get.last || h.second != nil || !e.postsTo(data) {
		return 0
	}
	req := &h.shard.req
	n, err := h.parser.Parse(data, &e.http, req)
	if err != nil || n == 0 {
		return 0 // the parser reports the same error, or continues, when the GET is answered
	}
	h.second = &pipelinedPost{Exchange: Exchange{conn: h, sid: get.sid}}
	h.second.route(req)
	return n
}

// postsTo reports whether data begins with a POST to the engine's path, or to one that begins with it.
func (e *Engine) postsTo(data []byte) bool {
	rest, ok := bytes.CutPrefix(data, []byte("POST "))
	return ok && bytes.HasPrefix(rest, []byte(e.cfg.Path))
}

// write writes the answer of an exchange that has ended: out, followed by a body that is not copied. It keeps the
// answer while an earlier one is missing. After the last answer the next request is read.
func (h *HTTPConn) write(x *Exchange, out, body []byte) {
	second := h.second
	behind := second != nil && x == &second.Exchange
	if behind {
		x.home = nil // no packets are lost with the answer to a POST
		if !second.getAnswered {
			second.kept = append(out, body...)
			return
		}
	}
	if !h.conn.Queue(out) || len(body) > 0 && !h.conn.Queue(body) {
		// The connection is closing, or the answer is longer than it may queue. The session's packets are lost with it.
		h.stop(phaseEnding)
		h.conn.Close()
		return
	}
	x.home = nil
	switch {
	case x.last:
		h.stop(phaseEnding)
		h.conn.CloseAfterFlush()
	case second != nil && !behind:
		second.getAnswered = true
		if second.kept != nil {
			h.write(&second.Exchange, second.kept, nil)
		}
	default:
		h.second = nil
		h.phase = phaseHead
		h.arm(h.shard.engine.cfg.IdleTimeout)
		h.conn.Resume()
	}
}

// Closed implements Receiver.
func (h *HTTPConn) Closed(error) {
	h.gone = true
	h.shard.loop.Wheel().Cancel(&h.timer)
	if h.second != nil {
		h.second.abandon()
	}
	h.first.abandon()
	if h.peer != nil {
		h.peer.spare.closed()
	}
}
