package adminui

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed58c87869/siren/server"
)

// UI serves the Admin UI's namespace of one server. Safe for concurrent use.
type UI struct {
	srv     *server.Server // immutable, as are the following fields
	ns      *server.Namespace
	o       Options
	host    string
	started time.Time
	stop    chan struct{}
	stopped sync.Once
	done    sync.WaitGroup
	// feed tells of single sockets and events; nil in the mode Production.
	feed *feed

	// present is the number of UIs at this node, dropped what they were not told.
	present atomic.Int64
	dropped atomic.Uint64
	// waiting is the number of people whose password is being checked or will be; checks has an entry for each check.
	waiting atomic.Int64
	checks  chan struct{}

	// ticks counts seconds. They and the meter belong to the goroutine of run. elsewhere tells whether other nodes have
	// UIs.
	ticks     int
	meter     meter
	elsewhere bool

	mu            sync.Mutex
	registrations []server.Registration // guarded by mu, as is the following field
	// refusal keeps clients out after Close.
	refusal server.Registration
}

// entered has the UI that counts a socket in UI.present: sockets of a closed UI may end when another one has its place.
var entered = server.NewKey[*UI]("adminui.entered")

// Instrument serves the namespace of the Admin UI. Call it before the server listens, or a UI may find no such
// namespace. Close ends it. Errors name the field of Options that is wrong.
func Instrument(srv *server.Server, o Options) (*UI, error) {
	o, err := o.settle()
	if err != nil {
		return nil, err
	}
	if srv.Lookup(o.Namespace) != nil {
		return nil, errors.New("adminui: the server has a namespace " + o.Namespace + " already")
	}
	return begin(srv, o), nil
}

// Replace closes u, unless it is closed already, and returns another UI with other Options in the same namespace.
// People have to sign in again. What was dropped goes on counting. Errors name the field of Options that is wrong, and
// u goes on then. Call it once.
func (u *UI) Replace(o Options) (*UI, error) {
	o, err := o.settle()
	if err != nil {
		return nil, err
	}
	if o.Namespace != u.o.Namespace {
		return nil, fmt.Errorf("adminui: Options.Namespace = %q must stay %q", o.Namespace, u.o.Namespace)
	}
	u.Close()
	next := begin(u.srv, o)
	next.dropped.Add(u.dropped.Load())
	u.mu.Lock()
	defer u.mu.Unlock()
	u.refusal.Remove()
	return next, nil
}

// begin serves the namespace. The Options are settled.
func begin(srv *server.Server, o Options) *UI {
	u := &UI{
		srv: srv, ns: srv.Of(o.Namespace), o: o, host: hostname(), started: time.Now(), stop: make(chan struct{}),
		checks: make(chan struct{}, checksMax),
	}
	if o.Mode == Development {
		u.feed = newFeed(u)
	}
	u.registered(u.ns.Use(u.login), u.ns.OnConnect(u.connected), u.ns.OnDisconnect(u.disconnected))
	u.obey()
	if !o.manual {
		u.done.Go(u.run)
	}
	return u
}

func (u *UI) registered(r ...server.Registration) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.registrations = append(u.registrations, r...)
}

// Close ends the connections of UIs, and what the server does for them. The namespace refuses everybody from then on.
func (u *UI) Close() {
	u.stopped.Do(func() {
		close(u.stop)
		u.done.Wait()
		if u.feed != nil {
			u.feed.end()
		}
		refusal := u.ns.Use(func(context.Context, *server.Socket) error { return errClosed })
		_ = u.ns.Local().DisconnectSockets(false) // it fails if the server has ended
		u.mu.Lock()
		defer u.mu.Unlock()
		for _, r := range u.registrations {
			r.Remove()
		}
		u.registrations, u.refusal = nil, refusal
	})
}

// Dropped returns how many events UIs were not told because of the bounds of Options. What a UI was not sent because it
// does not read is in the server's Stats.Sessions.DroppedExpendable.
func (u *UI) Dropped() uint64 { return u.dropped.Load() }

// connected tells a UI what it needs when it comes. One that was let in while u was closed is refused: Close has not
// found it.
func (u *UI) connected(ctx context.Context, s *server.Socket) error {
	select {
	case <-u.stop:
		return errClosed
	default:
	}
	// A UI that does not read loses events, not its connection, and nobody needs to know: others come.
	if err := s.SetQueue(server.Queue{OnFull: server.OverflowExpendable}); err != nil {
		return err
	}
	if id, ok := signedIn.Get(s); ok {
		_ = s.Emit("session", id) // as below: to a UI that is gone already it does not matter
		signedIn.Delete(s)
	}
	entered.Set(s, u)
	u.present.Add(1)
	if u.feed != nil {
		u.feed.begin()
		u.feed.connected(s)
	}
	_ = s.Emit("config", struct {
		SupportedFeatures []string `json:"supportedFeatures"`
	}{u.o.features()})
	if u.feed != nil {
		u.feed.list(ctx, s)
	}
	_ = s.Emit("server_stats", u.stats(u.totals(), nil))
	return nil
}

func (u *UI) disconnected(s *server.Socket, r server.Reason) {
	if by, _ := entered.Get(s); by == u {
		u.present.Add(-1)
	}
	if u.feed != nil {
		u.feed.disconnected(s, r)
	}
}

// run ticks until the UI or the server ends.
func (u *UI) run() {
	tick := time.NewTicker(tickTime)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			u.tick(time.Now())
		case <-u.stop:
			return
		case <-u.srv.Done():
			return
		}
	}
}

// elsewhereTicks is how often a node without UIs asks whether other nodes have some.
const elsewhereTicks = 5

// tick does what is due each second. Without a UI it does nothing, except that it asks other nodes for theirs.
func (u *UI) tick(now time.Time) {
	here := u.present.Load() > 0
	if u.ticks++; here {
		u.elsewhere = false
	} else if u.ticks%elsewhereTicks == 0 {
		ctx, cancel := context.WithTimeout(context.Background(), tickTime)
		n, _ := u.ns.Count(ctx) // of the nodes that answer
		cancel()
		u.elsewhere = n > 0
	}
	if !here && !u.elsewhere {
		u.meter = meter{}
		if u.feed != nil {
			u.feed.end()
		}
		return
	}
	sum := u.totals()
	if !u.meter.running {
		u.meter.begin(sum)
	}
	u.meter.note(sum, now.Add(-tickTime))
	if u.ticks%statsTicks == 0 {
		_, _ = u.ns.Emit("server_stats", u.stats(sum, u.meter.waiting)) // the next ones come in two seconds
		u.meter.waiting = nil
	}
	if u.feed != nil {
		u.feed.begin()
		u.feed.scan()
	}
}
