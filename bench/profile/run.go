package profile

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed58c87869/siren/bench"
	"github.com/seed58c87869/siren/bench/client"
)

// Options of a run besides the profile. A plain value.
type Options struct {
	// PIDs are the server's processes, for its CPU and memory. If there are none, the owner of the port is looked up.
	PIDs []int
	// Progress, if set, is called with the progress about ten times a second, on the goroutine of Run.
	Progress func(bench.Progress)
}

// How often things are looked at.
const (
	stepEvery   = 20 * time.Millisecond // the number of users
	secondEvery = time.Second           // the curves
	lagEvery    = 10 * time.Millisecond // the generator's own delay
)

// failuresMax bounds the number of distinct reasons; further ones are "other".
const failuresMax = 16

// run is one run.
type run struct {
	p        *Profile
	o        Options
	enough   func(*run) bool // nil: the stages take their time
	tag      string          // of this run's marks
	ctx      context.Context
	begun    time.Time
	matching matching
	http     *http.Client
	shards   []*shard
	tokens   chan struct{}
	requests chan outgoing
	book     book
	tasks    sync.WaitGroup

	ready     atomic.Int64 // users that are there
	published atomic.Int64
	answers   atomic.Int64 // that are waited for

	users []*user // all that ever were; owned by the goroutine of Run
	there []*user // those that were not told to leave, in their order; owned by the goroutine of Run
	times timeline

	mu            sync.Mutex // guards what follows
	publishers    []*user
	turn          int
	connect       spread
	join          spread
	lag           spread
	sessions      int           // that were opened
	connectedAt   time.Duration // when the last of them was
	connectFailed int
	lostSessions  int
	publishFailed int
	failures      map[string]int
}

// Run carries a profile out. If ctx ends, the result says so in Partial. An error means that there is nothing to report:
// not even the first user could connect. A run in which messages are lost, or a threshold is missed, is not an error;
// see bench.Result.OK.
func Run(ctx context.Context, p *Profile, o Options) (*bench.Result, error) {
	return runUntil(ctx, p, o, nil)
}

// runUntil is Run with stages that also end when enough returns true, so that tests need not guess how long they take.
func runUntil(ctx context.Context, p *Profile, o Options, enough func(*run) bool) (*bench.Result, error) {
	if err := bench.NeedDescriptors(p.most() + p.Connect.InFlight); err != nil {
		return nil, err
	}
	r := newRun(p, o)
	r.enough = enough
	if err := r.try(ctx); err != nil {
		return nil, err
	}
	observer, note := bench.Observe(p.options.URL, o.PIDs)
	result := bench.NewResult(r.scenario(), observer.Shared())
	if note != "" {
		result.Note(note)
	}
	var cancel context.CancelFunc
	r.ctx, cancel = context.WithCancel(ctx)
	defer cancel()
	before := observer.Read()
	r.begun = time.Now()
	peak := r.stages(observer)
	r.settle()
	after, length := observer.Read(), time.Since(r.begun)
	cancel()
	for _, u := range r.users {
		u.quit()
	}
	for _, u := range r.users {
		<-u.over
		u.mu.Lock()
		c := u.client
		u.mu.Unlock()
		if c != nil {
			c.Close()
		}
	}
	r.tasks.Wait()
	r.http.CloseIdleConnections()
	if ctx.Err() != nil {
		result.Partial = "interrupted"
	}
	r.report(result, reading{before, after, length, peak, observer.Known(), ctx.Err() != nil})
	return result, nil
}

func newRun(p *Profile, o Options) *run {
	var tag [4]byte
	_, _ = rand.Read(tag[:]) // never fails
	r := &run{
		p: p, o: o, tag: hex.EncodeToString(tag[:]), matching: p.matching(), http: client.NewHTTP(p.options.TLS),
		tokens: make(chan struct{}, p.Connect.InFlight), failures: make(map[string]int),
		connect: newSpread(), join: newSpread(), lag: newSpread(), times: newTimeline(),
	}
	for range 2 * runtime.GOMAXPROCS(0) {
		r.shards = append(r.shards, newShard())
	}
	if p.Publish != nil && p.Publish.HTTP != nil {
		r.requests = make(chan outgoing, max(queued, p.Publish.HTTP.InFlight))
	}
	return r
}

// try opens one session and ends it, so that a server that is not there, or takes nobody, is told at once.
func (r *run) try(ctx context.Context) error {
	r.ctx = ctx
	u := newUser(r, 0)
	err := u.open(ctx)
	if u.client != nil {
		u.client.Close()
	}
	r.sessions, r.connect, r.join = 0, newSpread(), newSpread()
	if err != nil {
		return fmt.Errorf("the first user did not get in: %w", err)
	}
	return nil
}

// stages lets users come and go until the stages are over. It returns the highest memory of the server.
func (r *run) stages(observer *bench.Observer) (peak int64) {
	publishing, stop := context.WithCancel(r.ctx)
	defer stop()
	r.tasks.Go(func() { r.feelLag(publishing) })
	if x := r.p.Publish; x != nil {
		r.tasks.Go(func() { r.publishAll(publishing) })
		if x.HTTP != nil {
			for i := range x.HTTP.InFlight {
				r.tasks.Go(func() { r.requestAll(r.ctx, r.shards[i%len(r.shards)]) })
			}
		}
	}
	tick := time.NewTicker(stepEvery)
	defer tick.Stop()
	length, second := r.p.length(), time.Duration(0)
	for {
		now := time.Since(r.begun)
		if now >= length || r.ctx.Err() != nil || r.enough != nil && r.enough(r) {
			r.second(now)
			return max(peak, observer.Read().Memory)
		}
		want, _ := r.p.at(now)
		r.adjust(want)
		if now >= second+secondEvery {
			second += secondEvery
			r.second(now)
			peak = max(peak, observer.Read().Memory)
		}
		r.tell(r.stageName(now), now, length)
		select {
		case <-tick.C:
		case <-r.ctx.Done():
		}
	}
}

// adjust starts and ends users until there are as many as wanted.
func (r *run) adjust(want int) {
	for len(r.there) < want {
		u := newUser(r, len(r.users))
		r.users, r.there = append(r.users, u), append(r.there, u)
		r.tasks.Go(func() { u.live(r.ctx) })
	}
	for len(r.there) > want {
		last := len(r.there) - 1
		r.there[last].quit()
		r.there = r.there[:last]
	}
}

// settle waits for what is on its way when the stages are over, until nothing has come for a while.
func (r *run) settle() {
	tick := time.NewTicker(drainEvery)
	defer tick.Stop()
	begin, quiet, had := time.Now(), time.Now(), int64(-1)
	for r.p.Publish != nil && r.ctx.Err() == nil && !r.settled() {
		if n := r.delivered() - r.answers.Load(); n != had {
			had, quiet = n, time.Now()
		}
		if time.Since(quiet) > r.p.Drain {
			return
		}
		r.tell("waiting for the last events", min(time.Since(begin), r.p.Drain), r.p.Drain)
		select {
		case <-tick.C:
		case <-r.ctx.Done():
		}
	}
}

// settled reports whether everything has come. Users that are leaving wait for themselves.
func (r *run) settled() bool {
	if r.answers.Load() > 0 {
		return false
	}
	for _, u := range r.users {
		u.mu.Lock()
		open := u.state == ready && len(u.outbox) > 0
		u.mu.Unlock()
		if open || !u.complete() && u.alive() {
			return false
		}
	}
	return true
}

// alive reports whether the session stands.
func (u *user) alive() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.state == ready
}

// delivered returns the number of deliveries so far.
func (r *run) delivered() (n int64) {
	for _, s := range r.shards {
		s.mu.Lock()
		n += int64(s.delivered)
		s.mu.Unlock()
	}
	return n
}

// stageName names the stage at a time.
func (r *run) stageName(now time.Duration) string {
	for i, s := range r.p.Stages {
		if now < s.Ramp+s.Hold {
			return fmt.Sprintf("stage %d of %d", i+1, len(r.p.Stages))
		}
		now -= s.Ramp + s.Hold
	}
	return "the end"
}

// tell reports the progress.
func (r *run) tell(phase string, done, total time.Duration) {
	if r.o.Progress == nil {
		return
	}
	r.mu.Lock()
	failed := r.connectFailed + r.lostSessions + r.publishFailed
	r.mu.Unlock()
	p := bench.Progress{
		Phase: phase, Done: int(done.Milliseconds()), Total: int(total.Milliseconds()), Timed: true,
		Detail: fmt.Sprintf("%d users", r.ready.Load()),
	}
	switch {
	case r.p.Expect != nil:
		p.Count, p.Unit = r.delivered(), "delivered"
	case r.p.Publish != nil:
		p.Count, p.Unit = r.published.Load(), "published"
	}
	if failed > 0 {
		p.Detail += fmt.Sprintf(", %d failures", failed)
	}
	r.o.Progress(p)
}

// feelLag measures how late this process runs what is due.
func (r *run) feelLag(ctx context.Context) {
	for ctx.Err() == nil {
		r.wait(ctx, lagEvery)
	}
}

func (r *run) lagged(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lag.add(d)
}

// enter makes a user one that can publish.
func (r *run) enter(u *user) {
	r.ready.Add(1)
	x := r.p.Publish
	if u.outbox == nil || x.Users > 0 && u.number >= x.Users {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.publishers = append(r.publishers, u)
}

// remove makes a user one that cannot publish. Further calls do nothing.
func (r *run) remove(u *user) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, p := range r.publishers {
		if p == u {
			r.publishers = append(r.publishers[:i], r.publishers[i+1:]...)
			return
		}
	}
}

// connected notes a session that was opened.
func (r *run) connected(connect, join time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sessions++
	if !r.begun.IsZero() {
		r.connectedAt = time.Since(r.begun)
	}
	r.connect.add(connect)
	r.join.add(join)
}

// failed notes a session that could not be opened, unless the run had ended.
func (r *run) failed(err error, over bool) {
	if over {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.connectFailed++
	r.reason(err)
}

// lost notes a session that ended by itself.
func (r *run) lost(err error) {
	if errors.Is(err, client.ErrClosed) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lostSessions++
	r.reason(err)
}

// reason counts the reason of a failure. The run is locked.
func (r *run) reason(err error) {
	text := err.Error()
	if _, known := r.failures[text]; !known && len(r.failures) >= failuresMax {
		text = "other reasons"
	}
	r.failures[text]++
}
