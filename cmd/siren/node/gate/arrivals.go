package gate

import (
	"sync"
	"time"

	"github.com/seed58c87869/siren/server"
)

// sweepEvery is the time between two looks at arrivals.
const sweepEvery = time.Second

// arrivals are the sockets that the backend has let in and whose connect handler has not run yet. It never runs for a
// client that has left meanwhile: then a sweep finds it. Safe for concurrent use.
type arrivals struct {
	// left is called for a socket that never enters. Immutable.
	left func(s *server.Socket)

	mu      sync.Mutex // guards what follows
	sockets map[*server.Socket]struct{}
	// timer runs as long as there are sockets.
	timer *time.Timer
}

func (a *arrivals) add(s *server.Socket) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.sockets == nil {
		a.sockets = make(map[*server.Socket]struct{})
	}
	a.sockets[s] = struct{}{}
	if a.timer == nil {
		a.timer = time.AfterFunc(sweepEvery, a.sweep)
	}
}

// take takes a socket out that enters. It returns false if a sweep has found that it never does.
func (a *arrivals) take(s *server.Socket) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	_, ok := a.sockets[s]
	delete(a.sockets, s)
	return ok
}

// sweep finds those that have left.
func (a *arrivals) sweep() {
	var gone []*server.Socket
	a.mu.Lock()
	for s := range a.sockets {
		if !s.Connected() {
			gone = append(gone, s)
			delete(a.sockets, s)
		}
	}
	a.timer = nil
	if len(a.sockets) > 0 {
		a.timer = time.AfterFunc(sweepEvery, a.sweep)
	}
	a.mu.Unlock()
	for _, s := range gone {
		a.left(s)
	}
}

// flush is a sweep at the end, when all sockets have left.
func (a *arrivals) flush() {
	a.mu.Lock()
	timer := a.timer
	a.mu.Unlock()
	if timer != nil && timer.Stop() {
		a.sweep()
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.timer != nil {
		a.timer.Stop()
		a.timer, a.sockets = nil, nil
	}
}
