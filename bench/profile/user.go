package profile

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed58c87869/siren/bench/client"
	"github.com/seed58c87869/siren/bench/sequence"
)

// state is how far a user is.
type state uint8

const (
	waiting state = iota // it connects, or is about to
	ready                // it gets events, and may publish
	gone                 // its session has ended, or never began
)

// queued is how many publications may wait for the session of a user. More means that the server takes none.
const queued = 1024

// user is one virtual user with one session. Safe for concurrent use.
type user struct {
	run    *run
	number int
	shard  *shard
	values values // immutable, but for what belongs to a publication
	outbox chan outgoing
	leave  chan struct{} // closed when it is to end
	once   sync.Once     // of leave
	over   chan struct{} // closed when it has ended
	joined chan error    // gets nil when the event that join waits for has come

	pending atomic.Int64 // publications without an answer

	mu       sync.Mutex // guards what follows
	state    state
	client   *client.Client
	seen     sequence.Sequence
	started  bool        // seen has its first number, if the server numbers by itself
	own      map[int]int // own publications: how often each came, if only the sender gets them
	oldest   []int       // own publications without an event, if events carry nothing
	latest   map[int32]int
	first    int // number of the first publication that it is to get
	last     int // one more than the last one, once it leaves
	got      int
	early    int  // publications from before first that came all the same
	begun    bool // it was ready once
	finished bool
}

// outgoing is a publication on its way to the session of its user.
type outgoing struct {
	n   int
	due time.Duration
}

func newUser(r *run, number int) *user {
	u := &user{
		run: r, number: number, shard: r.shards[number%len(r.shards)],
		values: values{user: number, tag: r.tag, row: r.p.data.row(number)},
		leave:  make(chan struct{}), over: make(chan struct{}), joined: make(chan error, 1),
	}
	if r.p.Publish != nil && r.p.Publish.HTTP == nil {
		u.outbox = make(chan outgoing, queued)
	}
	if e := r.p.Expect; e != nil && e.To == toSender {
		u.own = make(map[int]int)
	}
	return u
}

// quit tells the user to end, once.
func (u *user) quit() { u.once.Do(func() { close(u.leave) }) }

// options returns how this user connects.
func (u *user) options() *client.Options {
	o := u.run.p.options
	o.HTTP = u.run.http
	if u.run.p.auth != nil {
		o.Auth = json.RawMessage(u.run.p.auth.append(nil, &u.values))
	}
	if len(u.run.p.query) > 0 {
		o.Query = url.Values{}
		for name, t := range u.run.p.query {
			o.Query.Set(name, u.values.text(t))
		}
	}
	if len(u.run.p.headers) > 0 {
		o.Header = http.Header{}
		for name, t := range u.run.p.headers {
			o.Header.Set(name, u.values.text(t))
		}
	}
	return &o
}

// open connects and joins.
func (u *user) open(ctx context.Context) error {
	begin := time.Now()
	c, err := client.Dial(ctx, u.options(), u.event)
	if err != nil {
		return err
	}
	u.mu.Lock()
	u.client = c
	u.mu.Unlock()
	connected := c.Timing().Namespace
	if err := u.join(ctx, c); err != nil {
		c.Close()
		return err
	}
	u.run.connected(connected, time.Since(begin))
	return nil
}

// join sends what a user sends first, and waits for its effect.
func (u *user) join(ctx context.Context, c *client.Client) error {
	j := u.run.p.Join
	if j == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, u.run.p.Connect.Timeout)
	defer cancel()
	answered := make(chan error, 1)
	var ack func([]byte, time.Time)
	if j.Ack {
		refused, _ := parsePath(j.AckError) // it has been checked
		ack = func(args []byte, _ time.Time) {
			answered <- refusal(refused, args, j.Emit)
		}
	}
	if err := c.Emit(j.Emit, j.args.append(nil, &u.values), ack); err != nil {
		return err
	}
	if !j.Ack && j.WaitFor == "" {
		select {
		case <-time.After(j.Settle):
			return nil
		case <-c.Done():
			return c.Err()
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	if j.Ack {
		if err := u.await(ctx, c, answered, fmt.Sprintf("the acknowledgement of %q", j.Emit), "set join.ack: false if the server sends none"); err != nil {
			return err
		}
	}
	if j.WaitFor != "" {
		return u.await(ctx, c, u.joined, fmt.Sprintf("the event %q after %q", j.WaitFor, j.Emit), "correct join.wait_for")
	}
	return nil
}

// await waits for an answer.
func (u *user) await(ctx context.Context, c *client.Client, answer <-chan error, expected, next string) error {
	select {
	case err := <-answer:
		return err
	case <-c.Done():
		return c.Err()
	case <-ctx.Done():
		if u.run.ctx.Err() != nil {
			return context.Cause(u.run.ctx)
		}
		return &client.Fault{Expected: expected, Got: fmt.Sprintf("nothing within %v", u.run.p.Connect.Timeout), Next: next}
	}
}

// refusal returns the error in an acknowledgement.
func refusal(at path, args []byte, event string) error {
	if at == nil {
		return nil
	}
	if text, ok := at.present(args); ok {
		return &client.Fault{Expected: fmt.Sprintf("an acknowledgement of %q without an error", event), Got: text,
			Next: "correct the arguments, or the user's rights"}
	}
	return nil
}

// live is the life of a user. A token of the run bounds how many connect at a time.
func (u *user) live(ctx context.Context) {
	defer close(u.over)
	select {
	case u.run.tokens <- struct{}{}:
	case <-ctx.Done():
		u.end()
		return
	case <-u.leave:
		u.end()
		return
	}
	err := u.open(ctx)
	<-u.run.tokens
	if err != nil {
		u.end()
		u.run.failed(err, ctx.Err() != nil)
		return
	}
	u.serve()
}

// serve is what an open session does until it ends.
func (u *user) serve() {
	u.begin()
	defer u.end()
	for {
		select {
		case o := <-u.outbox:
			u.send(o)
		case <-u.client.Done():
			u.finish()
			u.run.lost(u.client.Err())
			return
		case <-u.leave:
			u.part()
			return
		}
	}
}

// begin makes the user ready.
func (u *user) begin() {
	u.mu.Lock()
	u.state, u.begun = ready, true
	u.first = u.run.book.size()
	if u.run.p.Publish != nil {
		u.seen = sequence.From(u.first)
	}
	u.mu.Unlock()
	u.run.enter(u)
}

// part waits for what is still on its way to the user, and ends its session.
func (u *user) part() {
	u.run.remove(u)
	for {
		select {
		case o := <-u.outbox: // what was due before
			u.send(o)
			continue
		default:
		}
		break
	}
	u.finish()
	tick := time.NewTicker(drainEvery)
	defer tick.Stop()
	quiet := time.Now()
	for had := -1; u.run.p.Publish != nil && (u.pending.Load() > 0 || !u.complete()); {
		if n := u.count() - int(u.pending.Load()); n != had {
			had, quiet = n, time.Now()
		}
		if time.Since(quiet) > u.run.p.Drain || u.run.ctx.Err() != nil {
			break
		}
		select {
		case <-tick.C:
		case <-u.client.Done():
			u.run.lost(u.client.Err())
			return
		}
	}
	u.client.Close()
}

// drainEvery is how often a user that leaves is looked at.
const drainEvery = 20 * time.Millisecond

// finish fixes what the user is to get: later publications are not its.
func (u *user) finish() {
	u.run.remove(u)
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.finished {
		u.finished = true
		u.last = u.run.book.size()
	}
}

// end makes the user gone.
func (u *user) end() {
	u.run.remove(u)
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.state == ready {
		u.run.ready.Add(-1)
	}
	u.state = gone
}

func (u *user) count() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.got
}
