package server

import "github.com/seed58c87869/siren/poller"

// Done is closed when the server has ended: when Close has finished, or when the event loops have failed. Then Wait
// tells why.
func (srv *Server) Done() <-chan struct{} { return srv.done }

// Wait waits for the end of the server, whether it listens yet or not, and returns what Close returned, or why the
// event loops failed; they end by themselves when the system gives them nothing to work with any more. A server whose
// loops have failed serves nobody: Close tidies up behind it.
func (srv *Server) Wait() error {
	<-srv.done
	return srv.endErr
}

// end is the end of the server, for the first reason that there is.
func (srv *Server) end(err error) {
	srv.ended.Do(func() {
		srv.endErr = err
		close(srv.done)
	})
}

// watch waits for the event loops. When they fail, nobody answers any longer. Those that Close stops are its own to tell
// about.
func (srv *Server) watch(p *poller.Engine) {
	<-p.Done()
	if err := p.Err(); err != nil && srv.state.Load() == serverOpen {
		srv.log.Error("the event loops have failed", "err", err)
		srv.endWaits()
		srv.end(err)
	}
}
