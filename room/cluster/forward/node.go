package forward

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed58c87869/siren/poller"
	"github.com/seed58c87869/siren/session"
)

// Node is a node that passes requests on to other nodes, and serves those that others pass on. It implements
// session.Forwarder. Safe for concurrent use.
type Node struct {
	cfg  Config
	keys *keys
	own  tag
	// address is what other nodes are told.
	address string
	ln      net.Listener

	// serving is set by Begin, which closes begun.
	serving atomic.Pointer[serving]
	begin   sync.Once
	begun   chan struct{}

	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup

	// byTag has the peers that are up or do not answer. It is replaced, never changed.
	byTag atomic.Pointer[map[tag]*peer]

	mu        sync.Mutex
	peers     map[string]*peer      // guarded by mu: by address
	conns     map[net.Conn]struct{} // guarded by mu: connections that no event loop has
	greetings int                   // guarded by mu: those of them that have proved nothing
	watchers  map[tag]int           // guarded by mu: how often each node watches this one
	crowded   bool                  // guarded by mu: the warning about MaxPeers was logged
	closed    bool                  // guarded by mu

	// announced is when Discovery first took an announcement, in nanoseconds since 1970; 0 before.
	announced atomic.Int64
	stats     counters
}

// serving is the server of a Node. Immutable.
type serving struct {
	engine *session.Engine
	lanes  []*lane
	// requestMax bounds a request that another node passes on.
	requestMax int
}

// New returns a Node that listens, and looks for the other nodes. Requests are served after Begin, which the server
// calls. Close it when the server has ended.
func New(cfg Config) (*Node, error) {
	cfg, err := cfg.settle()
	if err != nil {
		return nil, err
	}
	ln, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("forward: %w", err)
	}
	n := &Node{
		cfg: cfg, keys: newKeys(cfg.Secret), own: newTag(), ln: ln, begun: make(chan struct{}),
		peers: map[string]*peer{}, conns: map[net.Conn]struct{}{}, watchers: map[tag]int{},
	}
	n.byTag.Store(&map[tag]*peer{})
	n.ctx, n.cancel = context.WithCancel(context.Background())
	if n.address, err = advertised(cfg.Advertise, ln.Addr()); err != nil {
		n.cancel()
		return nil, errors.Join(err, ln.Close())
	}
	n.work.Go(n.accept)
	for _, address := range cfg.Peers {
		n.meet(address, true)
	}
	if cfg.Discovery != nil {
		if err := n.discover(); err != nil {
			return nil, errors.Join(err, n.Close())
		}
	}
	return n, nil
}

// Addr returns the address of the listener, Address what other nodes are told.
func (n *Node) Addr() net.Addr { return n.ln.Addr() }

// Address returns the address that other nodes are told.
func (n *Node) Address() string { return n.address }

// Begin implements session.Forwarder. The loops must be those of package poller. A Node is for one server, which may
// begin again when it could not listen.
func (n *Node) Begin(e *session.Engine, loops []session.Loop) error {
	lanes := make([]*lane, 0, len(loops))
	for _, l := range loops {
		loop, ok := l.(*poller.Loop)
		if !ok {
			return fmt.Errorf("forward: requests cannot be passed on from a %T", l)
		}
		lanes = append(lanes, newLane(n, loop))
	}
	cfg := e.Config()
	n.serving.Store(&serving{e, lanes, max(cfg.MaxPayload, cfg.MaxHeaderBytes) + 2*cfg.MaxHeaderBytes})
	n.begin.Do(func() { close(n.begun) })
	return nil
}

// NewSID implements session.Forwarder.
func (n *Node) NewSID(loop int) string { return n.keys.newSID(n.own, loop) }

// LoopOf implements session.Forwarder.
func (n *Node) LoopOf(sid []byte) (loop int, ok bool) {
	t, loop, ok := n.keys.readSID(sid)
	return loop, ok && t == n.own
}

// Knows implements session.Forwarder.
func (n *Node) Knows(sid []byte) bool {
	t, _, ok := n.keys.readSID(sid)
	return ok && n.peerOf(t) != nil
}

// peerOf returns the peer with the tag, or nil.
func (n *Node) peerOf(t tag) *peer { return (*n.byTag.Load())[t] }

// Forward implements session.Forwarder.
func (n *Node) Forward(f *session.Forwarded, sid []byte) {
	t, loop, _ := n.keys.readSID(sid)
	p := n.peerOf(t)
	if p == nil {
		n.stats.failed[failedGone].Add(1)
		f.Unknown()
		return
	}
	n.serving.Load().lanes[f.Loop().Index()].pass(f, p, byte(loop))
}

// name enters a peer by its tag, or takes it out. It returns false if another peer has the tag.
func (n *Node) name(t tag, p *peer, enter bool) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	old := *n.byTag.Load()
	if has := old[t]; has != nil && has != p || !enter && has == nil {
		return false
	}
	next := maps.Clone(old)
	if enter {
		next[t] = p
	} else {
		delete(next, t)
	}
	n.byTag.Store(&next)
	return true
}

// meet begins to watch the node at an address, unless it is watched already. static means that it is never forgotten.
func (n *Node) meet(address string, static bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed || address == n.address {
		return
	}
	if p := n.peers[address]; p != nil {
		p.seen.Store(time.Now().UnixNano())
		p.hurry()
		return
	}
	if len(n.peers) >= n.cfg.MaxPeers {
		if !n.crowded {
			n.crowded = true
			n.cfg.Logger.Warn("too many nodes to pass requests on to", "max", n.cfg.MaxPeers, "addr", address)
		}
		return
	}
	p := newPeer(n, address, static)
	n.peers[address] = p
	n.work.Go(p.watch)
}

// forget removes a peer.
func (n *Node) forget(p *peer) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.peers, p.address)
}

// hold notes a connection that no event loop has, so that Close closes it. It returns false after Close.
func (n *Node) hold(c net.Conn) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.closed {
		n.conns[c] = struct{}{}
	}
	return !n.closed
}

// release forgets a connection of hold.
func (n *Node) release(c net.Conn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.conns, c)
}

// Close closes the listener and the connections on which nodes watch each other. Links end with their event loops, so
// close the server before.
func (n *Node) Close() error {
	n.mu.Lock()
	if n.closed {
		n.mu.Unlock()
		return nil
	}
	n.closed = true
	n.cancel()
	for c := range n.conns {
		_ = c.Close()
	}
	n.mu.Unlock()
	err := n.ln.Close()
	n.work.Wait()
	return err
}

// answerTime is how long the nodes that have heard of this one may take to connect to it.
const answerTime = 250 * time.Millisecond

// settlePoll is the time between two looks of Settle.
const settlePoll = 5 * time.Millisecond

// Settle waits until this node knows its peers and they know it, or until ctx ends. Call it before clients are let in:
// until then, requests for sessions of other nodes are refused here, and those for this node's sessions there.
func (n *Node) Settle(ctx context.Context) {
	tick := time.NewTicker(settlePoll)
	defer tick.Stop()
	for !n.settled() {
		select {
		case <-ctx.Done():
			return
		case <-n.ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// settled reports whether each known peer was tried, and those that are up watch this node.
func (n *Node) settled() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, p := range n.peers {
		switch p.state() {
		case Connecting:
			return false
		case Up:
			if n.watchers[tag(p.tag.Load())] == 0 {
				return false
			}
		}
	}
	first := n.announced.Load()
	return n.cfg.Discovery == nil || first > 0 && time.Since(time.Unix(0, first)) >= answerTime
}
