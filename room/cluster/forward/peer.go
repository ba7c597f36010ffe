package forward

import (
	"errors"
	"io"
	"net"
	"sync/atomic"
	"time"
)

// State is the state of a peer. Immutable.
type State int32

// The states of a peer.
const (
	// Connecting: nothing is known of it yet.
	Connecting State = iota
	// Up: requests are passed on.
	Up
	// Stalled: it has not answered within Config.PingTimeout. Requests get 503.
	Stalled
	// Down: there is no connection. Requests get 400 "Session ID unknown".
	Down
	// Self: the address is the node's own, or that of a peer that is known by another address.
	Self
)

var stateNames = [...]string{"connecting", "up", "stalled", "down", "self"}

// String returns the name of the state.
func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return "unknown"
}

// peer is another node, by its address. Safe for concurrent use.
type peer struct {
	node    *Node
	address string
	static  bool
	now     atomic.Int32 // a State
	tag     atomic.Uint32
	// seen is when somebody last told of the address, in nanoseconds since 1970.
	seen atomic.Int64
	// wake interrupts the pause before the next attempt. It holds one token.
	wake chan struct{}
	// forwards and sockets are those under way. links are the connections for requests, with and without one.
	forwards, sockets, links atomic.Int64
}

func newPeer(n *Node, address string, static bool) *peer {
	p := &peer{node: n, address: address, static: static, wake: make(chan struct{}, 1)}
	p.seen.Store(time.Now().UnixNano())
	return p
}

func (p *peer) state() State { return State(p.now.Load()) }

// hurry has the next attempt to connect begin now.
func (p *peer) hurry() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

const (
	// retryMin and retryMax bound the pause between two attempts to connect. It doubles.
	retryMin = 100 * time.Millisecond
	retryMax = 2 * time.Second
	// selfPause is the pause after an address that turned out to be this node's own, or another peer's.
	selfPause = 10 * time.Second
	// forgetAfter is the number of AnnounceIntervals after which a peer that is down is forgotten, if nobody tells of
	// it.
	forgetAfter = 10
)

// watch keeps a connection to the peer and follows whether it is alive, until the Node closes.
func (p *peer) watch() {
	n, pause := p.node, retryMin
	for n.ctx.Err() == nil {
		c, t, err := p.connect(kindWatch, 0, 0)
		switch {
		case err != nil:
			p.become(Down, "err", err)
		case t == n.own || !p.take(t):
			n.release(c)
			_ = c.Close()
			p.become(Self)
			pause = selfPause
		default:
			pause = retryMin
			p.follow(c)
		}
		if n.ctx.Err() != nil {
			return
		}
		since := time.Since(time.Unix(0, p.seen.Load()))
		if !p.static && p.state() != Self && since > forgetAfter*n.cfg.AnnounceInterval {
			n.forget(p)
			return
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-p.wake:
		case <-n.ctx.Done():
		}
		timer.Stop()
		pause = min(2*pause, retryMax)
	}
}

// connect dials the peer and greets it. The connection is one of Node.hold.
func (p *peer) connect(k kind, loop byte, to tag) (net.Conn, tag, error) {
	n := p.node
	d := net.Dialer{Timeout: n.cfg.DialTimeout}
	c, err := d.DialContext(n.ctx, "tcp", p.address)
	if err != nil {
		return nil, 0, err
	}
	if !n.hold(c) {
		return nil, 0, errors.Join(net.ErrClosed, c.Close())
	}
	_ = c.SetDeadline(time.Now().Add(n.cfg.GreetTimeout))
	t, err := greet(c, n.keys, hello{kind: k, loop: loop, time: time.Now(), from: n.own, to: to})
	if err == nil && k == kindWatch {
		err = tellAddress(c, n.address)
	}
	if err != nil {
		n.release(c)
		return nil, 0, errors.Join(err, c.Close())
	}
	_ = c.SetDeadline(time.Time{})
	return c, t, nil
}

// take enters the peer by its tag, before which requests find the tag in it. It returns false if another peer has the
// tag.
func (p *peer) take(t tag) bool {
	old := tag(p.tag.Swap(uint32(t)))
	if !p.node.name(t, p, true) {
		return false
	}
	if old != 0 && old != t {
		p.node.cfg.Logger.Info("another process answers for the node", "addr", p.address)
	}
	return true
}

// follow watches the peer on a connection until that ends.
func (p *peer) follow(c net.Conn) {
	n := p.node
	p.become(Up)
	err := p.ping(c)
	n.name(tag(p.tag.Load()), p, false)
	n.release(c)
	_ = c.Close()
	p.become(Down, "err", err)
}

// deadAfter is the number of PingTimeouts after which a peer that does not answer is given up.
const deadAfter = 10

// ping asks the peer in intervals whether it is alive. It returns when the connection ends or is given up.
func (p *peer) ping(c net.Conn) error {
	n := p.node
	tick := time.NewTicker(n.cfg.PingInterval)
	defer tick.Stop()
	b := make([]byte, 1)
	for silent := 0; ; {
		select {
		case <-tick.C:
		case <-n.ctx.Done():
			return n.ctx.Err()
		}
		_ = c.SetDeadline(time.Now().Add(n.cfg.PingTimeout))
		if silent == 0 {
			if _, err := c.Write([]byte{pingByte}); err != nil {
				return err
			}
		}
		_, err := io.ReadFull(c, b)
		var timeout net.Error
		switch {
		case err == nil && b[0] == pingByte:
			silent = 0
			p.seen.Store(time.Now().UnixNano())
			p.become(Up)
		case err == nil:
			return errMalformed
		case errors.As(err, &timeout) && timeout.Timeout() && silent < deadAfter:
			silent++
			p.become(Stalled)
		default:
			return err
		}
	}
}

// pingByte is what a watching node sends, and gets back.
const pingByte = 'P'

// become changes the state, and logs that. Requests under way to a peer that does not answer, or has gone, end.
func (p *peer) become(s State, attrs ...any) {
	was := State(p.now.Swap(int32(s)))
	if was == s {
		return
	}
	n := p.node
	log := n.cfg.Logger.With("addr", p.address)
	switch {
	case n.ctx.Err() != nil:
	case s == Up:
		log.Info("node is up", "was", was.String())
	case s == Stalled:
		log.Warn("node does not answer; its sessions' requests get 503", "timeout", n.cfg.PingTimeout)
	case s == Down:
		log.Warn("node cannot be reached; its sessions are unknown", append([]any{"was", was.String()}, attrs...)...)
	case s == Self:
		log.Info("address is this node's own, or another name of a node")
	}
	if was == Up {
		n.stats.losses.Add(1)
	}
	if was == Up || was == Stalled {
		n.failAll(p, s)
	}
}

// failAll ends the requests under way to a peer.
func (n *Node) failAll(p *peer, s State) {
	if serving := n.serving.Load(); serving != nil && s != Up {
		for _, l := range serving.lanes {
			l.loop.PostFunc(func() { l.fail(p, s) })
		}
	}
}
