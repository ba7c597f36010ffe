package server

import (
	"context"
	"errors"
	"time"

	"github.com/seed58c87869/siren/room"
	"github.com/seed58c87869/siren/room/cluster"
	"github.com/seed58c87869/siren/server/internal/collect"
	"github.com/seed58c87869/siren/server/internal/packets"
)

// ask is a broadcast whose acknowledgements are collected. Safe for concurrent use, except debts.
type ask struct {
	collect.Wait
	ns *Namespace
	// debts are those of the sockets of each loop, in blocks. Loop-owned, each slice.
	debts [][][]collect.Debt[Socket]
	// loopsAsked has the loops that the broadcast was posted to. Guarded by the Wait's lock.
	loopsAsked []int
	// waiting means that sockets whose connect handlers run are waited for. They can answer only when these have
	// returned, so a handler that blocks must not wait for them. Immutable, as done and relay are.
	waiting bool
	// done gets the replies at the end; nil if they are taken as they come.
	done func(replies []Reply, err error)
	// relay is the question of another node; nil for one of this node.
	relay *relay
	// replies has the replies that were not taken yet. Guarded by the Wait's lock, as counted is.
	replies []Reply
	// counted: the node that asked has been told how many clients this node asked. It stays false without a relay.
	counted bool
}

func newAsk(ns *Namespace) *ask {
	a := &ask{ns: ns, debts: make([][][]collect.Debt[Socket], ns.srv.nloops)}
	a.Partial, a.Loops = true, 1
	return a
}

// ask broadcasts the event. If it returns an error, nobody got the event and nothing is pending. It returns nil if the
// server has ended the wait meanwhile, which is reported like every end.
func (a *ask) ask(ctx context.Context, o Operator, event string, args []any) (err error) {
	if err := o.flags.check(); err != nil {
		return err
	}
	ns := o.ns
	if err := a.assign(ns.hooks.Load().settings.maxPendingAcks); err != nil {
		return err
	}
	sent := false
	defer func() {
		if !sent && !a.Revoke() { // a value may also panic when it is encoded
			err = nil
		}
	}()
	if err = a.Begin(); err != nil {
		return err
	}
	f, data, err := o.encode(int64(a.ID), event, args)
	if err != nil {
		return err
	}
	d := &askDelivery{broadcast: o.broadcast(f, data), ask: a}
	if o.resolve(&d.target) {
		ns.srv.deflate(d.broadcast)
		d.measure()
		if err := ns.srv.dispatch(&d.target, d, a.expectLoop); err != nil {
			return err
		}
	}
	sent = true
	patience := ns.hooks.Load().settings.patience(ctx, o.flags.timeout)
	if o.elsewhere() {
		a.askOthers(o, data, remaining(ctx, patience))
	}
	a.Limit(patience)
	a.Watch(ctx)
	a.delivered(collect.OffLoop)
	return nil
}

// assign gives the broadcast its packet id, and by it a loop for its timer.
func (a *ask) assign(max int) error {
	if !a.ns.asks.Assign(&a.Wait, max) {
		return ErrTooManyAcks
	}
	a.Init(a.ns.srv.waits, a, int(a.ID%uint32(a.ns.srv.nloops)))
	return nil
}

// remaining returns how long the other nodes wait: as long as this one.
func remaining(ctx context.Context, patience time.Duration) time.Duration {
	if patience > 0 {
		return patience
	}
	at, _ := ctx.Deadline()
	return max(time.Until(at), time.Millisecond)
}

// measure chooses the loop that counts the broadcast, and counts the members that it is for.
func (b *broadcast) measure() {
	for i := range b.ns.srv.nloops {
		if b.target.OnShard(i) {
			b.lead = int16(i)
			b.posted += int32(b.countOn(i))
		}
	}
}

// expectLoop notes that the broadcast is about to be posted to a loop.
func (a *ask) expectLoop(loop int) {
	a.Lock()
	a.Loops++
	a.loopsAsked = append(a.loopsAsked, loop)
	a.Unlock()
}

// askDelivery is the task that delivers the broadcast on the loops. Immutable.
type askDelivery struct {
	*broadcast
	ask *ask
}

// Run implements task.
func (d *askDelivery) Run(loop int) {
	d.count(loop)
	d.ns.walk(loop, &d.target, d)
}

// askWork is the estimated time of noting one socket that is asked, in nanoseconds.
const askWork = 100

// Work implements walk.Visitor.
func (d *askDelivery) Work() int { return askWork + d.broadcast.Work() }

// Visit implements walk.Visitor.
func (d *askDelivery) Visit(loop int, members []*room.Member, rest int) {
	d.ask.expect(loop, members, rest)
	d.deliver(members)
}

// Visited implements walk.Visitor.
func (d *askDelivery) Visited(loop int) { d.ask.delivered(loop) }

// expect notes which sockets of a loop are asked; rest more may follow. Loop-only.
func (a *ask) expect(loop int, selected []*room.Member, rest int) {
	if a.Over() {
		return
	}
	owed := a.debtBlock(loop, len(selected), rest)
	before := len(*owed)
	for _, m := range selected {
		s := m.Owner().(*Socket)
		if s.phase != phaseConnected && !a.waiting {
			continue
		}
		*owed = append(*owed, collect.Debt[Socket]{Wait: &a.Wait, Socket: s})
		s.mu.Lock()
		s.debts.Add(&(*owed)[len(*owed)-1])
		s.mu.Unlock()
	}
	a.Lock()
	a.Expected += int32(len(*owed) - before)
	a.Unlock()
}

// debtBlockMax is the largest number of debts in one block of memory: the loop makes and clears it at once.
const debtBlockMax = 2048

// debtBlock returns the loop's block with room for n more debts, which never move; rest more may follow. Loop-only.
func (a *ask) debtBlock(loop, n, rest int) *[]collect.Debt[Socket] {
	blocks := a.debts[loop]
	if last := len(blocks) - 1; last < 0 || cap(blocks[last])-len(blocks[last]) < n {
		blocks = append(blocks, make([]collect.Debt[Socket], 0, max(n, min(n+rest, debtBlockMax))))
		a.debts[loop] = blocks
	}
	return &blocks[len(blocks)-1]
}

// delivered notes that a loop has delivered the event.
func (a *ask) delivered(loop int) {
	a.Lock()
	a.Loops--
	if a.Loops == 0 {
		a.Signal() // who waits for a number of replies wants to know how many were asked
		a.count()
	}
	a.Settle(loop)
}

// count tells the node that asked, once, how many clients this node asked. Called with the lock held, which count
// releases meanwhile.
func (a *ask) count() {
	if a.relay == nil || a.counted {
		return
	}
	a.counted = true
	n := int(a.Expected)
	a.Unlock()
	a.relay.counted(n)
	a.Lock()
}

// Answered implements collect.Inquiry.
func (a *ask) Answered(answer collect.Answer, loop int) {
	a.Lock()
	if a.keep(Reply{answer}) {
		a.Answers++
	}
	a.Settle(loop)
}

// keep stores a reply, or passes it on to the asking node. It returns false if the wait is over. Called with the lock
// held.
func (a *ask) keep(r Reply) bool {
	switch {
	case a.Ended():
		return false
	case a.relay != nil:
		// Before it counts, so that the end of the wait comes behind all answers. An adapter that panics leaves the
		// lock free.
		a.Unlock()
		a.relay.acknowledged(r)
		a.Lock()
	default:
		a.replies = append(a.replies, r)
		a.Resume()
	}
	return true
}

// Left implements collect.Inquiry.
func (a *ask) Left(loop int) { a.Lose(loop) }

// Release implements collect.Inquiry.
func (a *ask) Release(cause error) {
	a.ns.asks.Free(&a.Wait)
	if a.relay != nil {
		a.relay.n.questions.Done(a.relay.id, &a.Wait)
	}
	a.Lock()
	if cause != nil { // the wait may end before all loops have delivered the event
		a.count()
	}
	if errors.Is(cause, ErrTimeout) {
		a.ns.srv.tally.Loop(a.Home()).AcksMissed(int(a.Expected - a.Answers - a.Lost))
	}
	elsewhere := a.Others != nil
	var owing []int
	if a.Loops > 0 || a.Answers+a.Lost < a.Expected {
		owing = a.loopsAsked
	}
	a.Unlock()
	if elsewhere {
		a.leaveOthers(cause)
	}
	for _, loop := range owing {
		a.ns.srv.host.Loop(loop).Post((*sweep)(a))
	}
}

// sweep is the task that removes the debts of a finished question from the sockets of a loop.
type sweep ask

// Run implements task.
func (w *sweep) Run(loop int) {
	l, blocks := w.ns.srv.host.Loop(loop), w.debts[loop]
	for over := false; len(blocks) > 0 && !over; blocks = blocks[1:] {
		for i := range blocks[0] {
			d := &blocks[0][i]
			d.Socket.forgive(d)
		}
		over = l.Spend(len(blocks[0]) * askWork)
	}
	if w.debts[loop] = blocks; len(blocks) > 0 {
		l.Post(w)
	}
}

// Collected implements collect.Inquiry.
func (a *ask) Collected() {
	if a.done != nil {
		a.ns.run("acknowledgements", func() { a.done(a.replies, a.Err()) })
	}
}

// take returns the new replies. over means that there will be no more; err is then the outcome.
func (a *ask) take() (replies []Reply, over bool, err error) {
	a.Lock()
	defer a.Unlock()
	replies, a.replies = a.replies, nil
	return replies, a.Ended(), a.Err()
}

// Response implements collect.Question.
func (a *ask) Response(m *cluster.Message) error {
	switch m.Kind {
	case cluster.BroadcastAck:
		args, err := packets.ParseData(m.Data)
		if err != nil {
			return err
		}
		a.Lock()
		if a.keep(Reply{collect.Answer{Args: args, Lib: a.ns.srv.enc.Library()}}) {
			a.Others.Acknowledged(m.From)
		}
		a.Settle(collect.OffLoop)
	case cluster.ClientCount:
		if m.Count < 0 {
			return packets.ErrData
		}
		a.Lock()
		a.Others.Asked(m.From, m.Count)
		a.Settle(collect.OffLoop)
	}
	return nil
}
