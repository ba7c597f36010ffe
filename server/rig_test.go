package server

import (
	"bytes"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/seed58c87869/siren/poller/pollertest"
	"github.com/seed58c87869/siren/session"
)

// rigLoop is a fake event loop that the test drives: what is posted waits until run. Post is safe for concurrent use,
// all else is the test's goroutine's.
type rigLoop struct {
	*pollertest.Loop
	mu    sync.Mutex
	tasks []task // guarded by mu
	batch []task
	next  task // goes on with the one that runs
	work  func()
	left  int // tasks of the batch behind the one that runs
	// full is how many calls of TryPost are refused still.
	full atomic.Int64
	// crammed makes Full true.
	crammed atomic.Bool
}

func (l *rigLoop) Post(t task) {
	l.mu.Lock()
	l.tasks = append(l.tasks, t)
	l.mu.Unlock()
}

func (l *rigLoop) TryPost(t task) bool {
	if l.full.Load() > 0 {
		l.full.Add(-1)
		return false
	}
	l.Post(t)
	return true
}

func (l *rigLoop) Full() bool { return l.crammed.Load() || l.Loop.Full() }

func (l *rigLoop) Idle() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.left == 0 && len(l.tasks) == 0 && l.Loop.Idle()
}

func (l *rigLoop) Continue(t task) { l.next = t }

func (l *rigLoop) PostFunc(fn func()) { l.Post(taskFunc(fn)) }

type taskFunc func()

func (f taskFunc) Run(int) { f() }

func (l *rigLoop) take() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.batch, l.tasks = l.tasks, l.batch[:0]
	return len(l.batch) > 0
}

// run works off what is posted, by others and by the connections of the loop.
func (l *rigLoop) run() {
	for {
		switch {
		case l.take():
			l.Do(l.work)
		case l.Posted() > 0:
			l.RunTurn()
		default:
			return
		}
	}
}

// turn works off what is posted to the server's loop, once: all of it, if tasks post nothing.
func (l *rigLoop) turn() {
	if l.take() {
		l.Do(l.work)
	}
}

// rig is a server of one loop without sockets and without goroutines but the handlers'.
type rig struct {
	srv  *Server
	loop *rigLoop
}

func newRig(t testing.TB, cfg Config, opts ...Option) *rig {
	t.Helper()
	cfg.Loops = 1
	srv, err := New(cfg, opts...)
	if err != nil {
		t.Fatal(err)
	}
	l := &rigLoop{Loop: pollertest.NewLoop(0)}
	l.work = func() {
		for i, t := range l.batch {
			l.batch[i], l.left = nil, len(l.batch)-1-i
			for ; t != nil; l.next = nil {
				t.Run(0)
				if t = l.next; t != nil {
					l.Renew() // it goes on in a later turn
				}
			}
		}
	}
	if _, err = srv.attach([]eventLoop{l}, nil); err != nil {
		t.Fatal(err)
	}
	return &rig{srv, l}
}

// sink is a connection that takes everything, and takes nothing to do so.
type sink struct{ recv session.Receiver }

func (c *sink) Queue([]byte) bool              { return true }
func (c *sink) QueuedBytes() int               { return 0 }
func (c *sink) QueuedFrames() int              { return 0 }
func (c *sink) Expendable()                    {}
func (c *sink) Last([]byte)                    {}
func (c *sink) CloseAfterFlush()               {}
func (c *sink) Close()                         {}
func (c *sink) Resume()                        {}
func (c *sink) Hold()                          {}
func (c *sink) OnDrained(func())               {}
func (c *sink) RemoteAddr() netip.AddrPort     { return netip.AddrPort{} }
func (c *sink) SetReceiver(r session.Receiver) { c.recv = r }
func (c *sink) feed(packets ...[]byte) {
	for _, p := range packets {
		c.recv.Receive(p)
	}
}

// dial opens a WebSocket session.
func (r *rig) dial() *pollertest.Conn {
	c := pollertest.NewQuietConn(r.loop.Loop, nil)
	c.SetReceiver(r.srv.host.Engine().Accept(c, 0))
	c.Feed(handshake)
	return c
}

// dialSink opens one that leads nowhere.
func (r *rig) dialSink() *sink {
	c := new(sink)
	c.recv = r.srv.host.Engine().Accept(c, 0)
	c.feed(bytes.Clone(handshake))
	return c
}

var handshake = []byte("GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")

// packet returns a Socket.IO packet as a client's frame.
func packet(text string) []byte {
	b, err := ws.CompileFrame(ws.MaskFrameInPlace(ws.NewTextFrame([]byte("4" + text))))
	if err != nil {
		panic(err)
	}
	return b
}

// join connects a client to "/" and returns its socket.
func (r *rig) join(t testing.TB) (*pollertest.Conn, *Socket) {
	t.Helper()
	c := r.dial()
	c.Feed(packet("0"))
	return c, r.socket(t)
}

// socket returns the one that there is.
func (r *rig) socket(t testing.TB) *Socket {
	t.Helper()
	r.loop.run()
	if all := r.srv.root.Sockets(); len(all) == 1 && all[0].marks.Load()&markConnected != 0 {
		return all[0]
	}
	t.Fatal("not connected")
	return nil
}

// fill connects n sockets, all in the room.
func (r *rig) fill(t testing.TB, n int, room string) []*Socket {
	t.Helper()
	for range n {
		r.dialSink().feed(packet("0"))
	}
	r.loop.run()
	all := r.srv.root.Sockets()
	for _, s := range all {
		if err := s.Join(room); err != nil {
			t.Fatal(err)
		}
	}
	r.loop.run()
	if got := r.srv.root.RoomCount(room); got != n {
		t.Fatal(fmt.Sprint(got, " sockets"))
	}
	return all
}

// waitUntil waits for what other goroutines do.
func waitUntil(limit time.Duration, done func() bool) {
	for deadline := time.Now().Add(limit); !done() && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
}
