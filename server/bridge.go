package server

import (
	"net/netip"
	"sync"

	"github.com/seed58c87869/siren/session"
)

// bridge is a connection that no event loop watches, as its session.StreamConn: what comes in is posted to the loop, and
// what is queued waits for somebody to take it out. The loop owns the inward half; the outward one, and all methods
// of session.Conn, are safe for concurrent use.
type bridge struct {
	loop EventLoop
	addr netip.AddrPort
	// restMax and queueMax are the limits of what is unread and of what is unsent, in bytes. Immutable.
	restMax, queueMax int
	// kick is called, on whatever goroutine, when there is something to take out. It must not block. Immutable.
	kick func()
	// fed gets a token when the loop has handled what feed has posted. It holds one.
	fed chan struct{}

	// Loop-owned.
	recv      session.Receiver
	rest      []byte
	receiving bool // Receive is running
	again     bool // Resume or SetReceiver was called in it
	resuming  bool // a Resume is posted
	shut      bool // Closed was called

	mu     sync.Mutex
	frames [][]byte     // guarded by mu
	bytes  int          // guarded by mu: what frames count for, and those taken out and not sent yet
	ending bridgeEnding // guarded by mu
}

// bridgeEnding is how a bridge is to end.
type bridgeEnding uint8

const (
	bridgeOpen bridgeEnding = iota
	bridgeFlush
	bridgeNow
)

// bridgeFrameBytes is what a waiting frame counts for besides its bytes, as in package poller: a flood of tiny ones takes
// many times their size.
const bridgeFrameBytes = 64

// idleSwitches bounds how often receivers may hand over to each other without consuming anything, as package poller does.
const idleSwitches = 8

func newBridge(srv *Server, loop EventLoop, addr netip.AddrPort, kick func()) *bridge {
	return &bridge{
		loop: loop, addr: addr, kick: kick, fed: make(chan struct{}, 1),
		restMax: restBytes(&srv.cfg), queueMax: queueBytes(&srv.cfg),
	}
}

// Queue implements session.Conn.
func (b *bridge) Queue(frame []byte) bool {
	b.mu.Lock()
	ok := b.ending == bridgeOpen && b.bytes+len(frame) <= b.queueMax
	if ok && len(frame) > 0 {
		b.frames = append(b.frames, frame)
		b.bytes += len(frame) + bridgeFrameBytes
	}
	b.mu.Unlock()
	if ok {
		b.kick()
	}
	return ok
}

// QueuedBytes implements session.Conn.
func (b *bridge) QueuedBytes() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.bytes
}

// QueuedFrames implements session.Conn.
func (b *bridge) QueuedFrames() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.frames)
}

// Last implements session.Conn.
func (b *bridge) Last(frame []byte) {
	b.mu.Lock()
	if b.ending == bridgeOpen && len(frame) > 0 {
		b.frames = append(b.frames, frame)
		b.bytes += len(frame) + bridgeFrameBytes
	}
	b.mu.Unlock()
	b.CloseAfterFlush()
}

// CloseAfterFlush implements session.Conn.
func (b *bridge) CloseAfterFlush() { b.end(bridgeFlush) }

// Close implements session.Conn.
func (b *bridge) Close() { b.end(bridgeNow) }

func (b *bridge) end(how bridgeEnding) {
	b.mu.Lock()
	news := how > b.ending
	if news {
		b.ending = how
	}
	b.mu.Unlock()
	if news {
		b.kick()
	}
}

// ends is how the bridge is to end, if it is.
func (b *bridge) ends() bridgeEnding {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ending
}

// bridgeFramesKeep bounds the places for frames that a bridge keeps when it has sent a burst: a connection may be idle for
// long after.
const bridgeFramesKeep = 64

// take takes out all that is queued, into the list whose frames have left; sent says when it has been sent.
func (b *bridge) take(list [][]byte) ([][]byte, bridgeEnding) {
	if cap(list) > bridgeFramesKeep {
		list = nil
	}
	clear(list)
	b.mu.Lock()
	defer b.mu.Unlock()
	taken := b.frames
	b.frames = list[:0]
	b.bytes -= len(taken) * bridgeFrameBytes
	return taken, b.ending
}

func (b *bridge) sent(bytes int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.bytes -= bytes
}

// RemoteAddr implements session.Conn.
func (b *bridge) RemoteAddr() netip.AddrPort { return b.addr }

// SetReceiver implements session.StreamConn.
func (b *bridge) SetReceiver(r session.Receiver) {
	b.recv = r
	b.again = b.receiving
}

// Resume implements session.StreamConn. Inside of Receive it counts when that consumes something.
func (b *bridge) Resume() {
	if b.receiving {
		b.again = true
		return
	}
	if !b.resuming && len(b.rest) > 0 {
		b.resuming = true
		b.loop.PostFunc(func() {
			b.resuming = false
			b.receive(nil)
		})
	}
}

// begin makes the receiver on the loop and gives it the first bytes. It returns at once, see feed.
func (b *bridge) begin(accept func(c session.StreamConn, loop int) session.Receiver, data []byte) {
	b.loop.PostFunc(func() {
		defer b.handled()
		b.recv = accept(b, b.loop.Index())
		b.receive(data)
	})
}

// feed posts bytes that were received. They must stay as they are until fed has a token; there must be one feed at a time.
func (b *bridge) feed(data []byte) {
	b.loop.PostFunc(func() {
		defer b.handled()
		b.receive(data)
	})
}

func (b *bridge) handled() { b.fed <- struct{}{} }

// finish posts the end of the connection.
func (b *bridge) finish(err error) {
	b.end(bridgeNow)
	b.loop.PostFunc(func() { b.closed(err) })
}

func (b *bridge) closed(err error) {
	if b.shut {
		return
	}
	b.shut = true
	recv := b.recv
	b.recv, b.rest = nil, nil
	if recv != nil {
		recv.Closed(err)
	}
}

// receive gives new bytes to the receiver behind the rest that it has left, and keeps what it leaves this time. A panic
// of the receiver closes the connection and goes on to the loop.
func (b *bridge) receive(data []byte) {
	if b.shut || b.recv == nil || b.ends() != bridgeOpen {
		b.rest = nil
		return
	}
	defer func() {
		if v := recover(); v != nil {
			b.receiving = false
			b.end(bridgeNow)
			panic(v)
		}
	}()
	kept := len(b.rest) > 0
	if kept {
		b.rest = append(b.rest, data...)
		data = b.rest
	}
	for idle := 0; len(data) > 0 && idle <= idleSwitches; {
		recv := b.recv
		b.again, b.receiving = false, true
		n, _ := recv.Receive(data)
		b.receiving = false
		n = max(0, min(n, len(data)))
		data = data[n:]
		if idle++; n > 0 {
			idle = 0
		}
		if b.ends() != bridgeOpen {
			data = nil
		}
		if !b.again || n == 0 && b.recv == recv {
			break
		}
	}
	b.keep(data, kept)
}

// keep holds what the receiver has left, which lies in rest when kept.
func (b *bridge) keep(data []byte, kept bool) {
	switch {
	case len(data) == 0:
		b.rest = nil
	case len(data) > b.restMax:
		b.rest = nil
		b.end(bridgeNow)
	case kept:
		b.rest = b.rest[:copy(b.rest, data)]
	default:
		b.rest = append([]byte(nil), data...)
	}
}
