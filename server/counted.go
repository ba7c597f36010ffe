package server

import (
	"context"
	"errors"
	"slices"

	"github.com/seed58c87869/siren/room/cluster"
	"github.com/seed58c87869/siren/server/internal/collect"
)

// SocketsJoinCounted is SocketsJoin, but waits until the event loops of this node have done it, and returns the number
// of sockets selected here. It waits like Count. After ErrTimeout or an error of ctx the loops will do the rest later;
// the number counts those done so far. Other errors are those of SocketsJoin, and ErrOnLoop.
func (o Operator) SocketsJoinCounted(ctx context.Context, rooms ...string) (int, error) {
	return o.moveCounted(ctx, rooms, true)
}

// SocketsLeaveCounted is SocketsLeave, but waits and counts like SocketsJoinCounted.
func (o Operator) SocketsLeaveCounted(ctx context.Context, rooms ...string) (int, error) {
	return o.moveCounted(ctx, rooms, false)
}

// DisconnectSocketsCounted is DisconnectSockets, but waits and counts like SocketsJoinCounted.
func (o Operator) DisconnectSocketsCounted(ctx context.Context, closeConns bool) (int, error) {
	n, err := o.counted(ctx, func(c *collect.Census) error {
		return o.Local().disconnect(closeConns, c)
	})
	if err != nil && !late(err) {
		return n, err
	}
	return n, errors.Join(err, o.tellOthers(&cluster.Message{Kind: cluster.DisconnectSockets, Close: closeConns}))
}

func (o Operator) moveCounted(ctx context.Context, rooms []string, join bool) (int, error) {
	kind := cluster.SocketsLeave
	if join {
		kind = cluster.SocketsJoin
	}
	n, err := o.counted(ctx, func(c *collect.Census) error { return o.Local().moveHere(rooms, join, c) })
	if err != nil && !late(err) {
		return n, err
	}
	return n, errors.Join(err, o.tellOthers(&cluster.Message{Kind: kind, Rooms: slices.Clone(rooms)}))
}

// late reports whether something was begun that the event loops have not finished in time.
func late(err error) bool {
	return errors.Is(err, ErrTimeout) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// EmitCounted is Emit that also tells whether the count is exact: the number of sockets of this node that the event was
// queued for. It is for a single room, or a single socket id, with nobody left out; else it is an upper bound, as
// Emit's. It waits for the event loops only when SocketsJoin or SocketsLeave are under way, as long as Count does; on a
// loop it does not wait, and the count is an upper bound then. Errors are those of Emit.
func (o Operator) EmitCounted(ctx context.Context, event string, args ...any) (n int, exact bool, err error) {
	return o.sendCounted(ctx, func() (int, error) { return o.Emit(event, args...) })
}

// EmitPreparedCounted is EmitCounted for a prepared event.
func (o Operator) EmitPreparedCounted(ctx context.Context, p *Prepared) (n int, exact bool, err error) {
	return o.sendCounted(ctx, func() (int, error) { return o.EmitPrepared(p) })
}

func (o Operator) sendCounted(ctx context.Context, send func() (int, error)) (n int, exact bool, err error) {
	exact = len(o.rooms) == 1 && len(o.users)+len(o.except) == 0 && o.from == nil
	moving := !o.ns.still()
	n, err = send()
	if err != nil || !exact || !moving || n == 0 {
		return n, exact && err == nil, err
	}
	// Moves on their way hold references of the room. The loops count behind them, and behind the event. On a loop the
	// census fails at once.
	here, censusErr := o.Local().census(ctx, o.requestLimit(ctx), false)
	if censusErr != nil {
		return n, false, nil
	}
	return here.Count(), true, nil
}

// counted begins work on the event loops, which notes what it selects in a census, and waits for it.
func (o Operator) counted(ctx context.Context, begin func(c *collect.Census) error) (int, error) {
	if o.ns.srv.onLoop() {
		return 0, ErrOnLoop
	}
	c := o.ns.srv.newCensus(false, nil)
	c.Blocks()
	err := c.Begin()
	if err == nil {
		err = begin(c)
	}
	if err != nil {
		c.Revoke()
		return 0, err
	}
	c.Pass(collect.OffLoop)
	c.Limit(o.requestLimit(ctx))
	err = c.Await(ctx)
	return c.Count(), err
}
