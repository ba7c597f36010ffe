package server

import (
	"context"
	"time"

	"github.com/seed58c87869/siren/room"
	"github.com/seed58c87869/siren/server/internal/collect"
)

// newCensus returns a census that has not begun; see collect.NewCensus.
func (srv *Server) newCensus(list bool, done func(c *collect.Census)) *collect.Census {
	return collect.NewCensus(srv.waits, srv.clock.Turn(), list, done)
}

// look asks the loops for the sockets. If it returns an error, none was asked and nothing is pending.
func (o Operator) look(c *collect.Census) error {
	if err := c.Begin(); err != nil {
		c.Revoke()
		return err
	}
	t := &look{ns: o.ns, c: c}
	if o.resolve(&t.target) {
		err := o.ns.srv.dispatch(&t.target, t, c.Expect)
		if err != nil && c.Revoke() {
			return err
		}
	}
	c.Pass(collect.OffLoop)
	return nil
}

// look is the task of a census on the loops. Immutable; one value serves them all.
type look struct {
	ns     *Namespace
	target room.Target
	c      *collect.Census
}

// Run implements task.
func (l *look) Run(loop int) {
	if l.c.List() {
		l.ns.walk(loop, &l.target, l)
		return
	}
	l.c.AddCount(l.ns.shards[loop].Count(&l.target))
	l.c.Pass(loop)
}

// countWork is the estimated time of noting one socket, in nanoseconds.
const countWork = 10

// Work implements walk.Visitor.
func (l *look) Work() int { return countWork }

// Visit implements walk.Visitor.
func (l *look) Visit(_ int, members []*room.Member, _ int) { l.c.Add(members) }

// Visited implements walk.Visitor.
func (l *look) Visited(loop int) { l.c.Pass(loop) }

// census waits for a look at the sockets of this node.
func (o Operator) census(ctx context.Context, limit time.Duration, list bool) (*collect.Census, error) {
	if o.ns.srv.onLoop() {
		return nil, ErrOnLoop
	}
	if err := o.flags.check(); err != nil {
		return nil, err
	}
	c := o.ns.srv.newCensus(list, nil)
	c.Blocks()
	if err := o.look(c); err != nil {
		return nil, err
	}
	c.Limit(limit)
	if err := c.Await(ctx); err != nil {
		return nil, err
	}
	return c, nil
}
