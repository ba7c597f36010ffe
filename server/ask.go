package server

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/seed58c87869/siren/poller/wheel"
	"github.com/seed58c87869/siren/room"
	"github.com/seed58c87869/siren/room/cluster"
)

// ask is one broadcast whose acknowledgements are waited for. Safe for concurrent use, but for owed.
type ask struct {
	ns *Namespace
	id uint64
	// owed are, for each loop, the sockets that have not answered: one map entry for a recipient. Loop-owned, each map.
	owed []map[*Socket]struct{}
	// request is the id under which other nodes answer; "" when they are not asked.
	request string
	// answer, when set, gets the replies in place of the list: they go to the node that asked. So does the count.
	answer func(r Reply)
	count  func(clients int)
	// done, when set, is called once at the end.
	done func(replies []Reply, err error)

	mu sync.Mutex // guards what follows
	// loops is how many loops have not delivered yet, and one more until it is known how many will.
	loops int
	// nodes are the other nodes that tell how many clients they asked; elsewhere is what they still wait for.
	nodes     roll
	elsewhere map[string]int
	// expected clients were asked, answered and lost ones are those not waited for any longer.
	expected, answered, lost int
	replies                  []Reply
	// trouble is why the other nodes may not know of it.
	trouble error
	over    bool
	err     error
	// stop ends what watches the time and the context.
	stop []func() bool
	// timer is that of the loop with the index home, which has it when timed is set; the timer itself is the loop's.
	timer   wheel.Timer
	home    int
	timed   bool
	timeout time.Duration
	// wake is signalled when there is something new; it has room for one.
	wake chan struct{}
}

func newAsk(ns *Namespace) *ask {
	return &ask{ns: ns, owed: make([]map[*Socket]struct{}, ns.srv.nloops), loops: 1, wake: make(chan struct{}, 1)}
}

// begin broadcasts the event. When it returns an error nobody got it, and nothing pends.
func (a *ask) begin(ctx context.Context, o Operator, event string, args []any) error {
	ns := o.ns
	if ns.srv.state.Load() >= serverEnding {
		return ErrClosed
	}
	if !ns.asks.add(a, ns.hooks.Load().settings.maxPendingAcks) {
		return ErrTooManyAcks
	}
	if ns.srv.state.Load() >= serverEnding { // Close may have ended those that there were just before
		a.finish(ErrClosed)
		return nil
	}
	sent := false
	defer func() {
		if !sent { // a value may also panic when it is encoded
			ns.asks.remove(a)
		}
	}()
	f, data, err := o.encode(int64(a.id), event, args)
	if err != nil {
		return err
	}
	b := o.broadcast(f, data)
	d := &askDelivery{broadcast: b, ask: a}
	if o.resolve(&b.target) {
		ns.srv.deflate(b)
		if err := ns.srv.dispatch(&b.target, d, a.expectLoop); err != nil {
			return err
		}
	}
	sent = true
	if o.elsewhere() {
		a.askOthers(o, data, a.limit(ctx, o.flags.timeout))
	} else {
		a.mu.Lock() // Close may be ending it
		a.nodes.expect(cluster.Peers{})
		a.mu.Unlock()
	}
	a.watch(ctx, o.flags.timeout)
	a.delivered(0)
	return nil
}

// askOthers asks the other nodes too.
func (a *ask) askOthers(o Operator, data Raw, limit time.Duration) {
	n := a.ns.srv.node
	id := n.register(a)
	a.mu.Lock()
	a.request = id
	over := a.over
	a.mu.Unlock()
	if over { // it has ended without the id
		n.forget(id)
		return
	}
	err := n.publish(&cluster.Message{
		Kind: cluster.Broadcast, Namespace: a.ns.name, Request: id, Data: data,
		Target: o.clusterTarget(limit),
	})
	if err != nil {
		a.others(cluster.Peers{}, err)
		return
	}
	n.srv.jobs.Add(1)
	go func() {
		defer n.srv.jobs.Add(-1)
		p, err := n.peers(context.Background(), a.ns)
		a.others(p, err)
	}()
}

// limit is how long the other nodes keep asking: as long as this one waits.
func (a *ask) limit(ctx context.Context, timeout time.Duration) time.Duration {
	if d := a.ns.hooks.Load().settings.patience(ctx, timeout); d > 0 {
		return d
	}
	at, _ := ctx.Deadline()
	return max(time.Until(at), time.Millisecond)
}

// others tells which nodes will answer.
func (a *ask) others(p cluster.Peers, err error) {
	a.mu.Lock()
	a.nodes.expect(p)
	a.trouble = err
	a.settle()
}

// watch ends the wait at the time-out, and with the context.
func (a *ask) watch(ctx context.Context, timeout time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.over {
		return
	}
	if a.timeout = a.ns.hooks.Load().settings.patience(ctx, timeout); a.timeout > 0 {
		a.time()
	}
	if ctx.Done() != nil {
		a.stop = append(a.stop, context.AfterFunc(ctx, func() { a.finish(ended(ctx)) }))
	}
}

// time begins the time-out, on a loop's wheel as all time-outs, if there are loops. Called with the lock held.
func (a *ask) time() {
	if _, engine := a.ns.srv.running(); engine == nil {
		a.stop = append(a.stop, time.AfterFunc(a.timeout, func() { a.finish(ErrTimeout) }).Stop)
		return
	}
	a.home, a.timed = int(a.id%uint64(a.ns.srv.nloops)), true
	a.ns.srv.loops[a.home].Post((*askTimer)(a))
}

// askTimer is the beginning of a time-out, or its end, on its way to the loop.
type askTimer ask

// Run implements task.
func (t *askTimer) Run(int) {
	a := (*ask)(t)
	loop := a.ns.srv.loops[a.home]
	a.mu.Lock()
	over := a.over
	a.mu.Unlock()
	if over {
		loop.Wheel().Cancel(&a.timer)
		return
	}
	a.timer.Init(a)
	loop.Wheel().Schedule(&a.timer, wheel.Deadline(loop.Now(), a.timeout))
}

// Expire implements wheel.Expirer.
func (a *ask) Expire(int64) { a.finish(ErrTimeout) }

// askDelivery is the broadcast on its way to the loops. Immutable.
type askDelivery struct {
	*broadcast
	ask *ask
}

// Run implements task.
func (d *askDelivery) Run(loop int) {
	n := 0
	d.ns.shards[loop].Select(&d.target, func(selected []*room.Member) {
		n = d.ask.expect(loop, selected)
		d.deliver(selected)
	})
	d.ask.delivered(n)
}

// expect notes who is asked on a loop, and returns how many. Loop-only.
func (a *ask) expect(loop int, selected []*room.Member) int {
	a.mu.Lock()
	over := a.over
	a.mu.Unlock()
	if over {
		return 0
	}
	owed := make(map[*Socket]struct{}, len(selected))
	for _, m := range selected {
		owed[m.Owner().(*Socket)] = struct{}{}
	}
	a.owed[loop] = owed
	return len(selected)
}

// strike takes a socket off the list; it is false when it was not there. Loop-only, on the socket's loop.
func (a *ask) strike(s *Socket) bool {
	owed := a.owed[s.shard()]
	if _, ok := owed[s]; !ok {
		return false
	}
	delete(owed, s)
	return true
}

// expectLoop tells that one more loop will deliver.
func (a *ask) expectLoop() {
	a.mu.Lock()
	a.loops++
	a.mu.Unlock()
}

// delivered tells that a loop has delivered, to n clients.
func (a *ask) delivered(n int) {
	a.mu.Lock()
	a.loops--
	a.expected += n
	if a.loops == 0 && a.count != nil && !a.over {
		n = a.expected
		a.mu.Unlock()
		a.count(n)
		a.mu.Lock()
	}
	a.settle()
}

// reply takes a client's acknowledgement. It is false when nobody waits for it any longer.
func (a *ask) reply(r Reply) bool {
	a.mu.Lock()
	if a.over {
		a.mu.Unlock()
		return false
	}
	if a.answer != nil {
		a.mu.Unlock()
		a.answer(r) // before it counts: the end of the wait comes behind all answers
		a.mu.Lock()
	} else {
		a.replies = append(a.replies, r)
		a.signal()
	}
	a.answered++
	a.settle()
	return true
}

// lose tells that n clients have gone.
func (a *ask) lose(n int) {
	a.mu.Lock()
	a.lost += n
	a.settle()
}

// response implements request: what another node says.
func (a *ask) response(m *cluster.Message) {
	if m.Kind == cluster.BroadcastAck {
		args, err := parseData(m.Data)
		if err != nil {
			a.ns.srv.stats.clusterDrops.Add(1)
			return
		}
		a.mu.Lock()
		a.owe(m.From, -1)
		a.mu.Unlock()
		a.reply(Reply{args, a.ns.srv.enc.json})
		return
	}
	if m.Kind != cluster.ClientCount || m.Count < 0 {
		return
	}
	a.mu.Lock()
	a.expected += m.Count
	a.owe(m.From, m.Count)
	a.nodes.answered(m.From)
	a.settle()
}

// owe counts the clients of another node that are waited for. An acknowledgement may overtake its node's count. Called
// with the lock held.
func (a *ask) owe(node string, n int) {
	if node == "" {
		return // nobody will tell that it has gone
	}
	if a.elsewhere == nil {
		a.elsewhere = map[string]int{}
	}
	a.elsewhere[node] += n
}

// gone implements request: the clients of a node that has gone will not answer.
func (a *ask) gone(node string) {
	a.mu.Lock()
	a.lost += max(a.elsewhere[node], 0)
	delete(a.elsewhere, node)
	a.nodes.answered(node)
	a.settle()
}

// settle ends the wait when nobody is left to answer. Called with the lock held, which it releases.
func (a *ask) settle() {
	complete := a.loops == 0 && a.nodes.complete() && a.answered+a.lost >= a.expected
	a.mu.Unlock()
	if complete {
		a.finish(ErrClosed)
	}
}

// errAbandoned ends the wait for replies that nobody wants any more.
var errAbandoned = errors.New("siren: abandoned")

// finish ends the wait; cause is why those that are missing are not waited for.
func (a *ask) finish(cause error) {
	a.mu.Lock()
	if a.over {
		a.mu.Unlock()
		return
	}
	a.over = true
	a.err = a.outcome(cause)
	stop, timed, replies, err := a.stop, a.timed, a.replies, a.err
	a.stop = nil
	// Before anybody learns of the end, so that they may ask again.
	a.ns.asks.remove(a)
	if a.request != "" {
		a.ns.srv.node.forget(a.request)
	}
	a.signal()
	a.mu.Unlock()
	for _, f := range stop {
		f()
	}
	if timed {
		a.ns.srv.loops[a.home].Post((*askTimer)(a))
	}
	if a.done != nil {
		a.ns.run("acknowledgements", func() { a.done(replies, err) })
	}
}

// outcome is the error of a wait that ends. Called with the lock held.
func (a *ask) outcome(cause error) error {
	n, ids := a.nodes.missing()
	clients := max(a.expected-a.answered, 0)
	if clients+n == 0 {
		if a.loops == 0 && a.nodes.known {
			return a.trouble
		}
		// It is not even known who was asked.
		return errors.Join(cause, a.trouble)
	}
	err := error(&MissingError{Clients: clients, Nodes: n, NodeIDs: ids, Cause: cause})
	if a.trouble != nil {
		err = errors.Join(err, a.trouble)
	}
	return err
}

// wait waits for something new.
func (a *ask) wait(ctx context.Context) {
	a.mu.Lock()
	if !a.over && len(a.replies) == 0 {
		a.ns.srv.waits.note(a, ctx)
	}
	a.mu.Unlock()
	<-a.wake
}

// signal wakes whoever waits for replies. Called with the lock held.
func (a *ask) signal() {
	a.ns.srv.waits.remove(a)
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// take are the replies that came since; over tells that there will be no more, and err is then the outcome.
func (a *ask) take() (replies []Reply, over bool, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	replies, a.replies = a.replies, nil
	return replies, a.over, a.err
}
