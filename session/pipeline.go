package session

import "bytes"

// pipeline is a GET that waits in its session and the POST that its client has pipelined behind it. The POST is handled
// at once, because what the GET waits for may be its outcome; its answer waits for the GET's. Loop-owned by the
// connection's loop.
type pipeline struct {
	get *HTTPConn
	// post stands for the connection while its POST is handled. It writes nothing itself.
	post *HTTPConn
	// answer is the POST's, nil until there is one.
	answer []byte
	// due: the GET is answered, and the POST is the request in progress.
	due bool
}

// overtake handles a POST that has arrived behind the GET that waits, if there is a whole one, and returns its length.
// There is one at a time.
func (h *HTTPConn) overtake(data []byte) int {
	if !h.polls || h.last || h.pipe != nil || !h.engine.postsTo(data) {
		return 0
	}
	req := &h.shard.req
	n, err := h.parser.Parse(data, &h.engine.limits, req)
	if err != nil || n == 0 {
		return 0 // the parser says, or goes on with, the same when the request's turn has come
	}
	post := &HTTPConn{engine: h.engine, shard: h.shard, conn: h.conn, peer: h.peer, sid: h.sid, phase: phaseBusy}
	post.timer.Init(post)
	p := &pipeline{get: h, post: post}
	h.pipe, post.pipe = p, p
	post.route(req)
	return n
}

// postsTo reports whether data begins with a POST to the engine's path, or to one that begins with it.
func (e *Engine) postsTo(data []byte) bool {
	rest, ok := bytes.CutPrefix(data, []byte("POST "))
	return ok && bytes.HasPrefix(rest, []byte(e.cfg.Path))
}

// answered is the POST's answer, which is sent now or behind the GET's.
func (p *pipeline) answered(out []byte) {
	p.post.phase = phaseHanded
	p.answer = out
	if p.due {
		p.next()
	}
}

// next is called when the GET's answer is out. The connection stays busy until the POST's is, too.
func (p *pipeline) next() {
	p.due = true
	if p.answer == nil {
		return
	}
	h := p.get
	h.pipe, h.last = nil, p.post.last
	h.send(p.answer, nil)
}

// closed is the end of the connection.
func (p *pipeline) closed(err error) {
	if p.answer == nil {
		p.post.Closed(err)
	}
}

// send writes the bytes of an answer, and behind them a body that was not copied, and goes on with the next request.
func (h *HTTPConn) send(out, body []byte) {
	h.turn++
	delete(h.shard.noted, h)
	h.cors, h.cancel, h.traits, h.polls = nil, nil, 0, false
	if h.pipe != nil && h.pipe.post == h {
		h.home = nil
		h.pipe.answered(append(out, body...))
		return
	}
	if !h.conn.Queue(out) || len(body) > 0 && !h.conn.Queue(body) {
		// It is closing, or the answer is longer than it may hold; the session's packets are lost with it.
		h.phase, h.last = phaseHanded, true
		h.conn.Close()
		return
	}
	h.home = nil
	switch {
	case h.last:
		h.phase = phaseHanded
		h.shard.loop.Wheel().Cancel(&h.timer)
		h.conn.CloseAfterFlush()
	case h.pipe != nil:
		h.pipe.next()
	default:
		h.phase = phaseHead
		h.arm(h.engine.cfg.IdleTimeout)
		h.conn.Resume()
	}
}
