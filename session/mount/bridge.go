package mount

import (
	"net/netip"
	"sync"

	"github.com/seed58c87869/siren/poller/stream"
	"github.com/seed58c87869/siren/session"
)

// bridge is a connection that no event loop watches. Its input is posted to the loop, and another goroutine takes its
// output. It is a stream.Conn of the loop like any other, over a socket that is a list of frames. The Conn is the
// loop's; the other methods are safe for concurrent use.
type bridge struct {
	stream.Conn
	loop Loop
	// kick is called, on any goroutine, when there is output to take. It must not block. Immutable.
	kick func()
	// fed gets a token when the loop has handled the bytes of feed. It holds one token.
	fed chan struct{}

	// Loop-owned.
	stopped bool // StopReading was called
	owed    bool // fed has no token yet because of that

	mu     sync.Mutex
	out    [][]byte     // guarded by mu: frames that the connection has handed over
	held   int          // guarded by mu: bytes of out, and of what was taken out and is not sent yet
	ending bridgeEnding // guarded by mu
	ticket uint64       // guarded by mu: whom to tell when there is room; 0: nobody waits
}

// bridgeEnding is the way in which a bridge ends.
type bridgeEnding uint8

const (
	bridgeOpen  bridgeEnding = iota
	bridgeFlush              // nothing follows what is in out
	bridgeNow                // what is in out is void
)

// bridgeWindow is the number of unsent bytes that a bridge accepts: as much as the kernel accepts for other
// connections. The rest waits in the connection's queue, by reference.
const bridgeWindow = 64 << 10

func newBridge(loop Loop, addr netip.AddrPort, kick func()) *bridge {
	b := &bridge{loop: loop, kick: kick, fed: make(chan struct{}, 1)}
	b.Init(loop.Stream(), (*bridgeSocket)(b), addr)
	return b
}

// begin makes the receiver on the loop and gives it the first bytes. It returns at once, see feed.
func (b *bridge) begin(accept func(c session.StreamConn, loop int) session.Receiver, data []byte) {
	b.loop.PostFunc(func() {
		defer b.handled()
		if err, _ := b.Start(func() session.Receiver { return accept(b, b.loop.Index()) }); err != nil {
			b.Cut(err)
			return
		}
		b.Read(data)
	})
}

// feed posts received bytes. They must not change until fed has a token; there must be one feed at a time.
func (b *bridge) feed(data []byte) {
	b.loop.PostFunc(func() {
		defer b.handled()
		b.Read(data)
	})
}

// handled allows the next feed, unless reading is stopped.
func (b *bridge) handled() {
	b.owed = true
	b.pay()
}

func (b *bridge) pay() {
	if b.owed && !b.stopped {
		b.owed = false
		b.fed <- struct{}{}
	}
}

// finish posts the end of the connection.
func (b *bridge) finish(err error) {
	b.end(bridgeNow)
	b.loop.PostFunc(func() {
		if b.Leaving() && b.QueuedFrames() == 0 && b.unsent() > 0 {
			b.CountCut(1) // the connection took all frames for sent
		}
		b.Ended(err)
	})
}

// end notes how the bridge ends; the more urgent ending counts.
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

// bridgeFramesKeep bounds the capacity for frames that a bridge keeps after a burst, because a connection may be idle
// for long afterwards.
const bridgeFramesKeep = 64

// take removes and returns the output, in exchange for the list whose frames were sent. Call sent when it was sent.
func (b *bridge) take(list [][]byte) ([][]byte, bridgeEnding) {
	if cap(list) > bridgeFramesKeep {
		list = nil
	}
	clear(list)
	b.mu.Lock()
	defer b.mu.Unlock()
	taken := b.out
	b.out = list[:0]
	return taken, b.ending
}

// sent notes that so many bytes of the output were sent.
func (b *bridge) sent(bytes int) {
	b.mu.Lock()
	b.held -= bytes
	ticket := b.ticket
	if ticket != 0 && b.held <= bridgeWindow/2 {
		b.ticket = 0
	} else {
		ticket = 0
	}
	b.mu.Unlock()
	if ticket != 0 {
		b.loop.PostFunc(func() { b.Conn.Loop().Writable(ticket) })
	}
}

// unsent returns the number of bytes of output that were not sent.
func (b *bridge) unsent() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.held
}

// bridgeSocket implements stream.Socket for a bridge's connection.
type bridgeSocket bridge

// Write implements stream.Socket.
func (s *bridgeSocket) Write(parts [][]byte, total int) (n int, err error) {
	b := (*bridge)(s)
	b.mu.Lock()
	for _, p := range parts {
		p = p[:min(len(p), bridgeWindow-b.held)]
		if len(p) == 0 {
			break
		}
		b.out = append(b.out, p)
		b.held += len(p)
		n += len(p)
	}
	b.mu.Unlock()
	if n > 0 {
		b.kick()
	}
	return n, nil
}

// AwaitWritable implements stream.Socket.
func (s *bridgeSocket) AwaitWritable(ticket uint64) error {
	b := (*bridge)(s)
	b.mu.Lock()
	b.ticket = ticket
	b.mu.Unlock()
	b.sent(0) // it may have left meanwhile
	return nil
}

// Unsent implements stream.Socket.
func (s *bridgeSocket) Unsent() int { return (*bridge)(s).unsent() }

// CloseWrite implements stream.Socket.
func (s *bridgeSocket) CloseWrite() error {
	(*bridge)(s).end(bridgeFlush)
	return nil
}

// StopReading implements stream.Socket.
func (s *bridgeSocket) StopReading(stop bool) {
	s.stopped = stop
	(*bridge)(s).pay()
}

// Close implements stream.Socket. It wakes the goroutine that feeds, which must see the end.
func (s *bridgeSocket) Close(error) {
	(*bridge)(s).end(bridgeNow)
	s.StopReading(false)
}
