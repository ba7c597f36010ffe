package broker

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Base is what every link has: its end, its connections, and what came. Links embed one from NewBase. Safe for
// concurrent use.
type Base struct {
	// Came counts what came from the broker.
	Came atomic.Uint64

	busySince atomic.Int64
	// broken is closed by End, which sets err first.
	broken chan struct{}
	once   sync.Once
	err    error

	mu sync.Mutex // guards what follows
	// conns are the open connections; nil when the link has ended.
	conns map[net.Conn]struct{}
}

// NewBase returns the base of a link without connections.
func NewBase() *Base {
	return &Base{broken: make(chan struct{}), conns: map[net.Conn]struct{}{}}
}

// Broken implements Link.
func (b *Base) Broken() <-chan struct{} { return b.broken }

// Err implements Link.
func (b *Base) Err() error { return b.err }

// Received implements Link.
func (b *Base) Received() uint64 { return b.Came.Load() }

// BusySince implements Link.
func (b *Base) BusySince() int64 { return b.busySince.Load() }

// Await notes that the sender waits for the broker while ask runs.
func (b *Base) Await(ask func()) {
	b.busySince.Store(time.Now().UnixNano())
	ask()
	b.busySince.Store(0)
}

// Ended reports whether the link has ended.
func (b *Base) Ended() bool {
	select {
	case <-b.broken:
		return true
	default:
		return false
	}
}

// Add notes a connection, which is closed with the link. It fails with ErrEnded, and closes the connection, if the link
// has ended.
func (b *Base) Add(conn net.Conn) (net.Conn, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.conns == nil {
		_ = conn.Close()
		return nil, ErrEnded
	}
	b.conns[conn] = struct{}{}
	return &tracked{conn, b}, nil
}

// End ends the link and closes its connections; nil stands for ErrEnded. before runs after Broken is closed and before
// the connections are; it may be nil. End returns false if the link had ended.
func (b *Base) End(err error, before func()) (ended bool) {
	b.once.Do(func() {
		ended = true
		if b.err = err; err == nil {
			b.err = ErrEnded
		}
		close(b.broken)
		if before != nil {
			before()
		}
		b.mu.Lock()
		conns := b.conns
		b.conns = nil
		b.mu.Unlock()
		for c := range conns {
			_ = c.Close()
		}
	})
	return ended
}

// tracked is a connection of a link.
type tracked struct {
	net.Conn
	of *Base
}

// Close implements net.Conn.
func (t *tracked) Close() error {
	t.of.mu.Lock()
	delete(t.of.conns, t.Conn)
	t.of.mu.Unlock()
	return t.Conn.Close()
}
