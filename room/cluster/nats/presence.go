package nats

import (
	"context"
	"slices"
	"sync"
	"time"
)

// presence knows the other nodes of the cluster, and tells them of this one. Safe for concurrent use.
type presence struct {
	node   string // immutable, as the following fields are
	began  uint64
	times  presenceTimes
	nodes  int // how many others may be known
	left   func(namespace, node string)
	wake   chan struct{} // has room for one: there is something to send
	unruly func()        // counts news of more nodes than may be known

	mu sync.Mutex // guards what follows
	// version counts the changes of this node's namespaces; own has them, added and gone what was not told yet.
	version     uint64
	own         map[string]struct{}
	added, gone map[string]struct{}
	// others has the other nodes by their ids.
	others map[string]*member
	// hello is set when this node must introduce itself; asks and answers are the nodes to ask for their lists, and those
	// that asked for this one's; synced are the nodes to answer, with their numbers.
	hello         bool
	asks, answers map[string]struct{}
	synced        map[string]uint64
	// settles is when all nodes that are there should have answered; zero before the first hello.
	settles time.Time
	// sync is the present question whether others reach this node's subscriptions; nil when there is none. syncs counts.
	sync  *syncing
	syncs uint64
}

// presenceTimes are the times of a presence. Immutable.
type presenceTimes struct{ beat, timeout, settle time.Duration }

// member is another node. The presence guards it.
type member struct {
	began, version uint64
	namespaces     map[string]struct{}
	// seen is when it was heard of, asked when it was asked for its list, told when it got this node's.
	seen, asked, told time.Time
}

// Lists may be long, so there is a least time between two of one node to another.
const (
	askEvery  = time.Second
	tellEvery = askEvery / 4
)

func newPresence(node string, times presenceTimes, nodes int, left func(namespace, node string), unruly func()) *presence {
	return &presence{
		node: node, began: uint64(time.Now().UnixNano()), times: times, nodes: nodes, left: left, unruly: unruly,
		wake: make(chan struct{}, 1), own: map[string]struct{}{}, added: map[string]struct{}{}, gone: map[string]struct{}{},
		others: map[string]*member{}, asks: map[string]struct{}{}, answers: map[string]struct{}{}, synced: map[string]uint64{},
	}
}

func (p *presence) signal() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// have notes a namespace of this node, lack its end.
func (p *presence) have(namespace string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.own[namespace], p.added[namespace] = struct{}{}, struct{}{}
	delete(p.gone, namespace)
	p.signal()
}

func (p *presence) lack(namespace string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gone[namespace] = struct{}{}
	delete(p.own, namespace)
	delete(p.added, namespace)
	p.signal()
}

// connected notes a new connection: this node introduces itself. Nobody was silent while there was none.
func (p *presence) connected(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hello, p.settles = true, now.Add(p.times.settle)
	p.refresh(now)
	p.signal()
}

// refresh gives all nodes the time to be heard again. Called with the lock held.
func (p *presence) refresh(now time.Time) {
	for _, m := range p.others {
		m.seen = now
	}
}

// settled waits until the nodes that are there should be known.
func (p *presence) settled(ctx context.Context) error {
	for {
		p.mu.Lock()
		begun, left := !p.settles.IsZero(), time.Until(p.settles)
		p.mu.Unlock()
		if begun && left <= 0 {
			return nil
		}
		t := time.NewTimer(max(left, time.Millisecond))
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return context.Cause(ctx)
		}
	}
}

// with returns the other nodes that have a namespace, sorted.
func (p *presence) with(namespace string) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := []string{}
	for id, m := range p.others {
		if _, ok := m.namespaces[namespace]; ok {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}

// departure is a namespace that a node has left.
type departure struct{ node, namespace string }

// receive takes news of another node. It does not block.
func (p *presence) receive(n *news, now time.Time) {
	if n.node == p.node {
		return
	}
	p.mu.Lock()
	gone := p.note(n, now)
	p.mu.Unlock()
	for _, d := range gone {
		p.left(d.namespace, d.node)
	}
}

// note notes news, and returns what a node has left. Called with the lock held.
func (p *presence) note(n *news, now time.Time) (gone []departure) {
	m := p.others[n.node]
	if n.verb == verbBye {
		if m == nil || m.began != n.began { // the last word of the one before
			return nil
		}
		return p.remove(n.node)
	}
	if m != nil && m.began != n.began { // another node with the same id, which knows nothing of the one before
		gone, m = p.remove(n.node), nil
	}
	if m == nil {
		if len(p.others) >= p.nodes {
			p.unruly()
			return gone
		}
		m = &member{began: n.began, namespaces: map[string]struct{}{}}
		p.others[n.node] = m
		if !p.settles.IsZero() {
			p.settles = later(p.settles, now.Add(p.times.settle/2))
		}
	}
	m.seen = now
	switch n.verb {
	case verbHello:
		p.answers[n.node] = struct{}{}
		p.signal()
		fallthrough
	case verbList:
		return append(gone, m.replace(n)...)
	case verbSync:
		p.synced[n.node] = n.version
		p.signal()
		return gone
	case verbSynced:
		p.answered(n.node, n.version, false)
		return gone
	}
	switch {
	case n.verb == verbChange && n.version == m.version+1:
		gone = append(gone, m.change(n)...)
	case n.version != m.version && now.Sub(m.asked) >= askEvery:
		m.asked = now
		p.asks[n.node] = struct{}{}
		p.signal()
	}
	return gone
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// remove forgets a node. Called with the lock held.
func (p *presence) remove(id string) (gone []departure) {
	m := p.others[id]
	if m == nil {
		return nil
	}
	delete(p.others, id)
	delete(p.asks, id)
	p.answered(id, 0, true)
	for namespace := range m.namespaces {
		gone = append(gone, departure{id, namespace})
	}
	return gone
}

// replace takes the list of a node.
func (m *member) replace(n *news) (gone []departure) {
	list := make(map[string]struct{}, len(n.namespaces))
	for _, name := range n.namespaces {
		list[name] = struct{}{}
	}
	for name := range m.namespaces {
		if _, ok := list[name]; !ok {
			gone = append(gone, departure{n.node, name})
		}
	}
	m.namespaces, m.version = list, n.version
	return gone
}

// change takes a change of a node's list.
func (m *member) change(n *news) (gone []departure) {
	for _, name := range n.namespaces {
		if len(m.namespaces) < spacesMax {
			m.namespaces[name] = struct{}{}
		}
	}
	for _, name := range n.gone {
		if _, ok := m.namespaces[name]; ok {
			delete(m.namespaces, name)
			gone = append(gone, departure{n.node, name})
		}
	}
	m.version = n.version
	return gone
}

// look forgets the nodes that were not heard of for too long, or gives all of them more time if they could not be heard.
func (p *presence) look(now time.Time, audible bool) {
	p.mu.Lock()
	var gone []departure
	if !audible {
		p.refresh(now)
	}
	for id, m := range p.others {
		if now.Sub(m.seen) > p.times.timeout {
			gone = append(gone, p.remove(id)...)
		}
	}
	p.mu.Unlock()
	for _, d := range gone {
		p.left(d.namespace, d.node)
	}
}
