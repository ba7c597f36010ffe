package server

// endWaits ends all that is waited for with ErrClosed: acknowledgements of single sockets and of broadcasts, and
// questions to other nodes. It is called once, after the server's state has become serverEnding: what begins later
// fails with ErrClosed by itself. It does not wait for the event loops, which may have failed. The functions given to
// EmitAck run on goroutines that Server.jobs counts. Safe for concurrent use.
func (srv *Server) endWaits() {
	srv.endAcks()
	srv.endAsks()
	if srv.node != nil {
		srv.node.endRequests()
	}
}

// endAcks ends the waits for acknowledgements of single sockets.
func (srv *Server) endAcks() {
	srv.mu.RLock()
	defer srv.mu.RUnlock()
	for _, ns := range srv.spaces {
		for _, s := range ns.sockets.all() {
			s.mu.Lock()
			acks := s.acks.take()
			s.mu.Unlock()
			for _, p := range acks {
				p.settle(answer{err: ErrClosed})
				p.forgetTimer()
			}
		}
	}
}

// endAsks ends the broadcasts that wait for acknowledgements.
func (srv *Server) endAsks() {
	srv.mu.RLock()
	var asks []*ask
	for _, ns := range srv.spaces {
		asks = append(asks, ns.asks.all()...)
	}
	srv.mu.RUnlock()
	for _, a := range asks {
		a.finish(ErrClosed)
	}
}
