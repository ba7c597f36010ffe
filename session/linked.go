package session

// LinkHead decodes what is in front of each request that another node passes on. data is the unread input. It returns
// the client's side, the length of the request that follows, and the number of bytes decoded; n is 0 if more input is
// needed. An error closes the connection. It is called on the connection's loop.
type LinkHead func(data []byte) (p Peer, request, n int, err error)

// linked is a connection of another node, which passes on requests of its clients, one at a time: each in the form of a
// client's, behind a head that head decodes. A request for a WebSocket turns it into one. Loop-owned.
type linked struct {
	http *HTTPConn
	head LinkHead
	// left is the number of bytes of the request that were not consumed.
	left int
}

// AcceptLinked takes a connection of another node, on its loop, and returns its Receiver.
func (e *Engine) AcceptLinked(c StreamConn, loop int, head LinkHead) Receiver {
	h := newHTTPConn(e.shards[loop], c, nil)
	h.arm(e.cfg.IdleTimeout)
	return &linked{http: h, head: head}
}

// Receive implements Receiver.
func (l *linked) Receive(data []byte) (n, need int) {
	h := l.http
	for n < len(data) && h.phase < phaseHanded {
		if l.left == 0 {
			used := l.begin(data[n:])
			if n += used; used == 0 {
				return n, 0
			}
			continue
		}
		part := data[n:min(len(data), n+l.left)]
		used, more := h.Receive(part)
		n += used
		l.left -= used
		if used < len(part) && h.phase < phaseHanded {
			return n, more
		}
	}
	if h.phase == phaseEnding {
		return len(data), 0
	}
	return n, 0
}

// begin decodes the head of a request. It returns the number of bytes consumed.
func (l *linked) begin(data []byte) int {
	h := l.http
	p, request, n, err := l.head(data)
	switch {
	case err != nil || n > 0 && (request <= 0 || h.phase != phaseHead):
		// Its answers would go to the wrong clients.
		h.stop(phaseEnding)
		h.conn.Close()
		return len(data)
	case n == 0:
		return 0
	}
	p.linked = true
	h.peer, l.left = &p, request
	h.arm(h.shard.engine.cfg.HeaderTimeout)
	return n
}

// isLinked reports whether the connection is another node's.
func (h *HTTPConn) isLinked() bool { return h.peer != nil && h.peer.linked }

// Closed implements Receiver.
func (l *linked) Closed(err error) { l.http.Closed(err) }
