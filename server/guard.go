package server

import (
	"fmt"
	"log/slog"
	"runtime/debug"

	"github.com/seed58c87869/siren/server/internal/refusal"
	"github.com/seed58c87869/siren/server/internal/stack"
)

// The event names for error hooks outside of events.
const (
	eventConnection = "connection"
	eventDisconnect = "disconnect"
	eventDeadline   = "deadline"
)

// errGoexit is the error for a handler that ended its goroutine.
var errGoexit = fmt.Errorf("%w: it called runtime.Goexit", ErrPanic)

// guard runs a handler and passes its error or panic to the error hooks. A handler may also end its goroutine
// (runtime.Goexit, which a test's FailNow calls). guard does not return then, so callers defer work that must be done.
func (s *Socket) guard(event string, fn func() error) (err error) {
	returned := false
	defer func() {
		if p := recover(); p != nil {
			err = s.panicked(event, p)
		} else if !returned {
			s.exited(event)
		}
	}()
	err = fn()
	returned = true
	if err != nil {
		s.handlerFailed(event, err)
	}
	return err
}

// handlerFailed counts, logs and passes on the error that a handler returned.
func (s *Socket) handlerFailed(event string, err error) {
	s.ns.srv.stats.failures.Add(1)
	s.logFailure(event, err)
	s.failed(event, err)
}

// exited counts, logs and passes on that a handler ended its goroutine.
func (s *Socket) exited(event string) {
	s.logPanic(event, "handler ended its goroutine", "runtime.Goexit")
	s.failed(event, errGoexit)
}

// panicked returns the error for a recovered panic. If the panic's value is an error, errors.Is finds it.
func (s *Socket) panicked(event string, p any) error {
	err := fmt.Errorf("%w: %v", ErrPanic, p)
	if cause, ok := p.(error); ok {
		err = fmt.Errorf("%w: %w", ErrPanic, cause)
	}
	s.logPanic(event, "handler panicked", p)
	s.failed(event, err)
	return err
}

func (s *Socket) logPanic(event, message string, p any) {
	s.ns.srv.stats.panics.Add(1)
	s.ns.srv.sio.Error(message, append(s.about(event), "panic", fmt.Sprint(p), "stack", string(debug.Stack()))...)
}

// logFailure logs the error of a handler. A refusal is an answer to the client rather than a failure.
func (s *Socket) logFailure(event string, err error) {
	if _, refused := refusal.As(err); !refused {
		s.ns.srv.sio.Warn("handler failed", append(s.about(event), "err", err)...)
	} else if debugs(s.ns.srv.sio) {
		s.debugSocket("handler refused", slog.String("event", event), slog.Any("err", err))
	}
}

// failed calls the error hooks. If one panics, that is only counted and logged.
func (s *Socket) failed(event string, err error) {
	defer s.contain(event, "error hook panicked")
	for _, fn := range s.ns.hooks.Load().failed {
		fn(s, event, err)
	}
}

// listenOut calls the listeners for outgoing events. A panic is only counted and logged, because an error hook might
// emit, and so come back here.
func (s *Socket) listenOut(event string, args []any) {
	h := s.ns.hooks.Load()
	if len(h.anyOutgoing) == 0 {
		return
	}
	defer s.contain(event, "outgoing listener panicked")
	for _, fn := range h.anyOutgoing {
		fn(s, event, args)
	}
}

// contain, deferred around a hook, recovers, counts and logs its panic.
func (s *Socket) contain(event, message string) {
	if p := recover(); p != nil {
		s.logPanic(event, message, p)
	}
}

// guarded runs a function of the application that belongs to no socket. A panic is counted and logged.
func (ns *Namespace) guarded(event string, fn func()) {
	defer func() {
		if p := recover(); p != nil {
			ns.srv.stats.panics.Add(1)
			ns.srv.sio.Error("handler panicked", "ns", ns.name, "event", event, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		}
	}()
	fn()
}

// run is guarded on a separate goroutine, for which Close waits.
func (ns *Namespace) run(event string, fn func()) {
	ns.srv.jobs.Add(1)
	go func() {
		defer ns.srv.jobs.Add(-1)
		ns.guarded(event, fn)
	}()
}

// onLoop reports whether the calling goroutine is an event loop, where whoever waits for an answer waits for ever: it
// is the loop that would bring it. It looks at the stack, and only when code of the application's may run on loops at
// all.
func (srv *Server) onLoop() bool { return srv.guestsOnLoops.Load() && stack.OnLoop() }
