package server

import (
	"context"
	"sync"
	"time"

	"github.com/seed58c87869/siren/room"
	"github.com/seed58c87869/siren/room/cluster"
)

// gather is a question that each of the other nodes answers once. Safe for concurrent use.
type gather struct {
	srv     *Server
	mu      sync.Mutex
	nodes   roll
	answers []*cluster.Message
	over    bool
	cause   error
	// ended is closed when nobody is waited for any longer.
	ended chan struct{}
}

// ask asks the other nodes and waits for what they say, or for the time-out, or for ctx. What came is returned with the
// error, which is a *MissingError then, or ErrCluster.
func (n *node) ask(ctx context.Context, ns *Namespace, timeout time.Duration, m *cluster.Message) ([]*cluster.Message, error) {
	p, err := n.peers(ctx, ns)
	if err != nil || p.Count == 0 {
		return nil, err
	}
	g := &gather{srv: n.srv, ended: make(chan struct{})}
	g.nodes.expect(p)
	m.Namespace, m.Request = ns.name, n.register(g)
	defer n.forget(m.Request)
	if err := n.publish(m); err != nil {
		return nil, err
	}
	if n.srv.state.Load() >= serverEnding {
		g.finish(ErrClosed) // it may have looked for questions before this one was there
	}
	if timeout > 0 {
		defer time.AfterFunc(timeout, func() { g.finish(ErrTimeout) }).Stop()
	}
	g.mu.Lock()
	if !g.over {
		n.srv.waits.note(g, ctx)
	}
	g.mu.Unlock()
	select {
	case <-g.ended:
	case <-ctx.Done():
		g.finish(ended(ctx))
	}
	return g.outcome()
}

// response implements request.
func (g *gather) response(m *cluster.Message) {
	g.mu.Lock()
	if !g.over {
		g.answers = append(g.answers, m)
	}
	g.note(m.From)
}

// gone implements request.
func (g *gather) gone(node string) {
	g.mu.Lock()
	g.note(node)
}

// note is called with the lock held, which it releases.
func (g *gather) note(node string) {
	g.nodes.answered(node)
	complete := g.nodes.complete()
	g.mu.Unlock()
	if complete {
		g.finish(nil)
	}
}

// finish implements request.
func (g *gather) finish(cause error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.over {
		g.over, g.cause = true, cause
		g.srv.waits.remove(g)
		close(g.ended)
	}
}

func (g *gather) outcome() ([]*cluster.Message, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if missing, ids := g.nodes.missing(); missing > 0 && g.cause != nil {
		return g.answers, &MissingError{Nodes: missing, NodeIDs: ids, Cause: g.cause}
	}
	return g.answers, nil
}

// requestLimit is how long to wait for other nodes besides what ctx says.
func (o Operator) requestLimit(ctx context.Context) time.Duration {
	if o.flags.timeout > 0 {
		return o.flags.timeout
	}
	if _, ok := ctx.Deadline(); ok {
		return 0
	}
	return o.ns.srv.cfg.RequestTimeout
}

// census is a look at the selected sockets on their loops, all of them in one go each. Safe for concurrent use.
type census struct {
	srv *Server
	mu  sync.Mutex
	// loops is how many have not looked yet, and one more until all were asked.
	loops   int
	sockets []*Socket
	count   int
	// done is called at the end, with no lock held; on an event loop, unless there was nobody to ask.
	done func(sockets []*Socket, count int)
}

// look begins a census. With list the sockets are wanted, else their number.
func (o Operator) look(list bool, done func(sockets []*Socket, count int)) (*census, error) {
	c := &census{srv: o.ns.srv, loops: 1, done: done}
	t := &selection{ns: o.ns, visit: func(_ int, selected []*room.Member) { c.add(selected, list) }, after: func(int) { c.pass() }}
	if o.resolve(&t.target) {
		err := o.ns.srv.dispatch(&t.target, t, func() {
			c.mu.Lock()
			c.loops++
			c.mu.Unlock()
		})
		if err != nil {
			return nil, err
		}
	}
	c.pass()
	return c, nil
}

// add is Loop-only.
func (c *census) add(selected []*room.Member, list bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count += len(selected)
	if !list {
		return
	}
	for _, m := range selected {
		c.sockets = append(c.sockets, m.Owner().(*Socket))
	}
}

func (c *census) pass() {
	c.mu.Lock()
	c.loops--
	last := c.loops == 0
	c.mu.Unlock()
	if last {
		c.srv.waits.remove(c)
		c.done(c.sockets, c.count)
	}
}

// census waits for a look at the sockets of this node. It ends with ErrClosed when the server begins to close.
func (o Operator) census(ctx context.Context, limit time.Duration, list bool) (sockets []*Socket, count int, err error) {
	srv := o.ns.srv
	if srv.state.Load() >= serverEnding {
		return nil, 0, ErrClosed
	}
	type result struct {
		sockets []*Socket
		count   int
	}
	results := make(chan result, 1)
	c, err := o.look(list, func(s []*Socket, n int) { results <- result{s, n} })
	if err != nil {
		return nil, 0, err
	}
	c.mu.Lock()
	if c.loops > 0 {
		srv.waits.note(c, ctx)
	}
	c.mu.Unlock()
	defer srv.waits.remove(c)
	var late <-chan time.Time
	if limit > 0 {
		t := time.NewTimer(limit)
		defer t.Stop()
		late = t.C
	}
	select {
	case r := <-results:
		return r.sockets, r.count, nil
	case <-late:
		err = ErrTimeout
	case <-ctx.Done():
		err = ended(ctx)
	case <-srv.ctx.Done():
		err = ErrClosed
	}
	return nil, 0, err
}
