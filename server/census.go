package server

import (
	"context"
	"time"

	"github.com/seed58c87869/siren/room"
)

// census notes the selected sockets on their loops, all of a loop in one go. Its parties are the loops. Safe for
// concurrent use.
type census struct {
	collector
	list bool // the sockets are wanted, and not their number alone; immutable
	// sockets and count are the result. Guarded by collector.mu, and immutable once the wait is over.
	sockets []*Socket
	count   int
	// done, when set, is called at the end, with no lock held; on an event loop, perhaps.
	done func(c *census)
}

// newCensus makes a census that was not begun. With list the sockets are wanted, else their number.
func newCensus(ns *Namespace, list bool) *census {
	c := &census{list: list}
	c.inquiry, c.ns, c.loops, c.home = c, ns, 1, ns.srv.someLoop()
	return c
}

// look asks the loops. If it returns an error, none was asked and nothing is pending.
func (c *census) look(o Operator) error {
	if err := c.begin(); err != nil {
		c.revoke()
		return err
	}
	t := &look{ns: o.ns, c: c}
	if o.resolve(&t.target) {
		err := o.ns.srv.dispatch(&t.target, t, c.expect)
		if err != nil && c.revoke() {
			return err
		}
	}
	c.pass(offLoop)
	return nil
}

// look is the task of a census on the loops. Immutable; one value serves them all.
type look struct {
	ns     *Namespace
	target room.Target
	c      *census
}

// Run implements task.
func (l *look) Run(loop int) {
	if l.c.list {
		l.ns.walk(loop, &l.target, l)
		return
	}
	n := l.ns.shards[loop].Count(&l.target)
	l.c.mu.Lock()
	l.c.count += n
	l.c.mu.Unlock()
	l.c.pass(loop)
}

// countWork is the estimated time of noting one socket, in nanoseconds.
const countWork = 10

// work implements visitor.
func (l *look) work() int { return countWork }

// visit implements visitor.
func (l *look) visit(_ int, members []*room.Member, _ int) { l.c.add(members) }

// visited implements visitor.
func (l *look) visited(loop int) { l.c.pass(loop) }

// add notes what a loop has selected. Loop-only.
func (c *census) add(selected []*room.Member) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return
	}
	c.count += len(selected)
	if !c.list {
		return
	}
	for _, m := range selected {
		c.sockets = append(c.sockets, m.Owner().(*Socket))
	}
}

// pass notes that a loop has looked.
func (c *census) pass(loop int) {
	c.mu.Lock()
	c.loops--
	c.settle(loop)
}

// census waits for a look at the sockets of this node.
func (o Operator) census(ctx context.Context, limit time.Duration, list bool) (*census, error) {
	if o.ns.srv.onLoop() {
		return nil, ErrOnLoop
	}
	if err := o.flags.check(); err != nil {
		return nil, err
	}
	c := newCensus(o.ns, list)
	c.ready = make(chan struct{}, 1)
	if err := c.look(o); err != nil {
		return nil, err
	}
	c.limit(limit)
	if err := c.await(ctx); err != nil {
		return nil, err
	}
	return c, nil
}

// answered implements inquiry: no client is asked.
func (c *census) answered(Reply, int) {}

// left implements inquiry.
func (c *census) left(int) {}

// release implements inquiry.
func (c *census) release(error) {}

// collected implements inquiry.
func (c *census) collected() {
	if c.done != nil {
		c.done(c)
	}
}
