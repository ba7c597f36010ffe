package session

// An event loop recovers a panic of a task or a timer, but does not know which session or connection it belongs to. So
// each task and timer of a session or connection ends it when it panics, and does not recover the panic.

// EndOnPanic, deferred by a task or timer on the session's loop, ends the session if there is a panic, and lets the
// panic continue. It does nothing for a nil session.
func (s *Session) EndOnPanic() {
	if v := recover(); v != nil {
		if s != nil {
			s.abort(ReasonTransportError)
		}
		panic(v)
	}
}

// closeOnPanic, deferred by a task or timer on the connection's loop, closes the connection if there is a panic, and
// lets the panic continue.
func closeOnPanic(c StreamConn) {
	if v := recover(); v != nil {
		c.Close()
		panic(v)
	}
}

// post runs fn on the session's loop, after everything posted before it. Safe for concurrent use.
func (s *Session) post(fn func()) {
	s.shard.loop.PostFunc(func() {
		defer s.EndOnPanic()
		fn()
	})
}

// post runs fn on the connection's loop, after everything posted before it. Safe for concurrent use.
func (h *HTTPConn) post(fn func()) {
	h.shard.loop.PostFunc(func() {
		defer closeOnPanic(h.conn)
		fn()
	})
}

// atHome runs fn on the home loop of the WebSocket's session: now, when the caller is there already.
func (w *wsConn) atHome(fn func()) {
	if home := w.home(); home != w.shard() {
		home.loop.PostFunc(func() {
			defer w.session.EndOnPanic()
			fn()
		})
		return
	}
	defer w.session.EndOnPanic()
	fn()
}
