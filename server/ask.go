package server

import (
	"context"
	"time"

	"github.com/seed58c87869/siren/room"
	"github.com/seed58c87869/siren/room/cluster"
	"github.com/seed58c87869/siren/server/internal/packets"
)

// ask is a broadcast whose acknowledgements are collected. Safe for concurrent use, except debts.
type ask struct {
	collector
	// debts are those of the sockets of each loop, in blocks. Loop-owned, each slice.
	debts [][][]debt
	// loopsAsked has the loops that the broadcast was posted to. Guarded by collector.mu.
	loopsAsked []int
	// waiting means that sockets whose connect handlers run are waited for. They can answer only when these have returned,
	// so a handler that blocks must not wait for them. Immutable, as done and relay are.
	waiting bool
	// done gets the replies at the end; nil if they are taken as they come.
	done func(replies []Reply, err error)
	// relay is the question of another node; nil for one of this node.
	relay *relay
	// replies has the replies that were not taken yet. Guarded by collector.mu, as counted is.
	replies []Reply
	// counted: the node that asked has been told how many clients this node asked. It stays false without a relay.
	counted bool
}

func newAsk(ns *Namespace) *ask {
	a := &ask{debts: make([][][]debt, ns.srv.nloops)}
	a.inquiry, a.ns, a.partial, a.loops = a, ns, true, 1
	return a
}

// ask broadcasts the event. If it returns an error, nobody got the event and nothing is pending. It returns nil if the
// server has ended the wait meanwhile, which is reported like every end.
func (a *ask) ask(ctx context.Context, o Operator, event string, args []any) (err error) {
	if err := o.flags.check(); err != nil {
		return err
	}
	ns := o.ns
	if !ns.asks.add(a, ns.hooks.Load().settings.maxPendingAcks) {
		return ErrTooManyAcks
	}
	a.home = int32(a.id % uint32(ns.srv.nloops))
	sent := false
	defer func() {
		if !sent && !a.revoke() { // a value may also panic when it is encoded
			err = nil
		}
	}()
	if err = a.begin(); err != nil {
		return err
	}
	f, data, err := o.encode(int64(a.id), event, args)
	if err != nil {
		return err
	}
	d := &askDelivery{broadcast: o.broadcast(f, data), ask: a}
	if o.resolve(&d.target) {
		ns.srv.deflate(d.broadcast)
		d.lead = d.firstLoop()
		if err := ns.srv.dispatch(&d.target, d, a.expectLoop); err != nil {
			return err
		}
	}
	sent = true
	patience := ns.hooks.Load().settings.patience(ctx, o.flags.timeout)
	if o.elsewhere() {
		a.askOthers(o, data, remaining(ctx, patience))
	}
	a.limit(patience)
	a.watch(ctx)
	a.delivered(offLoop)
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

// firstLoop is the first of the loops that the broadcast is for; -1 when there is none.
func (b *broadcast) firstLoop() int {
	for i := range b.ns.srv.nloops {
		if b.target.OnShard(i) {
			return i
		}
	}
	return -1
}

// expectLoop notes that the broadcast is about to be posted to a loop.
func (a *ask) expectLoop(loop int) {
	a.mu.Lock()
	a.loops++
	a.loopsAsked = append(a.loopsAsked, loop)
	a.mu.Unlock()
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

// work implements visitor.
func (d *askDelivery) work() int { return askWork + d.broadcast.work() }

// visit implements visitor.
func (d *askDelivery) visit(loop int, members []*room.Member, rest int) {
	d.ask.expect(loop, members, rest)
	d.deliver(members)
}

// visited implements visitor.
func (d *askDelivery) visited(loop int) { d.ask.delivered(loop) }

// expect notes which sockets of a loop are asked; rest more may follow. Loop-only.
func (a *ask) expect(loop int, selected []*room.Member, rest int) {
	if a.isOver() {
		return
	}
	owed := a.debtBlock(loop, len(selected), rest)
	before := len(*owed)
	for _, m := range selected {
		s := m.Owner().(*Socket)
		if s.phase != phaseConnected && !a.waiting {
			continue
		}
		*owed = append(*owed, debt{c: &a.collector, s: s})
		s.mu.Lock()
		s.debts.add(&(*owed)[len(*owed)-1])
		s.mu.Unlock()
	}
	a.mu.Lock()
	a.expected += int32(len(*owed) - before)
	a.mu.Unlock()
}

// debtBlockMax is the largest number of debts in one block of memory: the loop makes and clears it at once.
const debtBlockMax = 2048

// debtBlock returns the loop's block with room for n more debts, which never move; rest more may follow. Loop-only.
func (a *ask) debtBlock(loop, n, rest int) *[]debt {
	blocks := a.debts[loop]
	if last := len(blocks) - 1; last < 0 || cap(blocks[last])-len(blocks[last]) < n {
		blocks = append(blocks, make([]debt, 0, max(n, min(n+rest, debtBlockMax))))
		a.debts[loop] = blocks
	}
	return &blocks[len(blocks)-1]
}

// delivered notes that a loop has delivered the event.
func (a *ask) delivered(loop int) {
	a.mu.Lock()
	a.loops--
	if a.loops == 0 {
		a.signal() // who waits for a number of replies wants to know how many were asked
		a.count()
	}
	a.settle(loop)
}

// count tells the node that asked, once, how many clients this node asked. Called with the lock held, which count
// releases meanwhile.
func (a *ask) count() {
	if a.relay == nil || a.counted {
		return
	}
	a.counted = true
	n := int(a.expected)
	a.mu.Unlock()
	a.relay.counted(n)
	a.mu.Lock()
}

// answered implements inquiry.
func (a *ask) answered(r Reply, loop int) {
	a.mu.Lock()
	if a.keep(r) {
		a.collector.answered++
	}
	a.settle(loop)
}

// keep stores a reply, or passes it on to the asking node. It returns false if the wait is over. Called with the lock
// held.
func (a *ask) keep(r Reply) bool {
	switch {
	case a.over:
		return false
	case a.relay != nil:
		// Before it counts, so that the end of the wait comes behind all answers. An adapter that panics leaves the lock
		// free.
		a.mu.Unlock()
		a.relay.acknowledged(r)
		a.mu.Lock()
	default:
		a.replies, a.parked = append(a.replies, r), nil
		a.signal()
	}
	return true
}

// left implements inquiry.
func (a *ask) left(loop int) { a.lose(loop) }

// release implements inquiry.
func (a *ask) release(cause error) {
	a.ns.asks.remove(a.id)
	if a.relay != nil {
		a.relay.over()
	}
	a.mu.Lock()
	if cause != nil { // the wait may end before all loops have delivered the event
		a.count()
	}
	elsewhere := a.others != nil
	var owing []int
	if a.loops > 0 || a.collector.answered+a.lost < a.expected {
		owing = a.loopsAsked
	}
	a.mu.Unlock()
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
			d.s.mu.Lock()
			d.s.debts.drop(d)
			d.s.mu.Unlock()
		}
		over = l.Spend(len(blocks[0]) * askWork)
	}
	if w.debts[loop] = blocks; len(blocks) > 0 {
		l.Post(w)
	}
}

// collected implements inquiry.
func (a *ask) collected() {
	if a.done != nil {
		a.ns.run("acknowledgements", func() { a.done(a.replies, a.err) })
	}
}

// wait blocks until there are new replies, or the wait is over.
func (a *ask) wait(ctx context.Context) {
	a.park(ctx)
	<-a.ready
}

// take returns the new replies. over means that there will be no more; err is then the outcome.
func (a *ask) take() (replies []Reply, over bool, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	replies, a.replies = a.replies, nil
	return replies, a.over, a.err
}

// response implements nodeQuestion.
func (a *ask) response(m *cluster.Message) error {
	switch m.Kind {
	case cluster.BroadcastAck:
		args, err := packets.ParseData(m.Data)
		if err != nil {
			return err
		}
		a.mu.Lock()
		if a.keep(Reply{args: args, lib: a.ns.srv.enc.Library()}) {
			a.others.Acknowledged(m.From)
		}
		a.settle(offLoop)
	case cluster.ClientCount:
		if m.Count < 0 {
			return packets.ErrData
		}
		a.mu.Lock()
		a.others.Asked(m.From, m.Count)
		a.settle(offLoop)
	}
	return nil
}
