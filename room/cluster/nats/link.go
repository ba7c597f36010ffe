package nats

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/seed58c87869/siren/room/cluster/internal/broker"
)

// link is a connection to the broker. It implements broker.Link and broker.Subscriber. Safe for concurrent use.
type link struct {
	*broker.Base
	conn    *nats.Conn
	timeout time.Duration // immutable: bounds the wait for an answer of the broker
	// came has what came. The client drops messages when it is full, and counts them for each subscription.
	came chan *nats.Msg
	// reach is called when the broker has confirmed new subscriptions, before those who wait for them hear of it.
	// Immutable.
	reach  func(l *link)
	flight flight

	mu sync.Mutex // guards what follows
	// subs are the subscriptions by their subjects, and slow those of which the client has dropped messages, with how
	// many that were when they were last counted: an ended subscription does not tell.
	subs map[string]*nats.Subscription
	slow map[*nats.Subscription]int
	// lost is how many messages were dropped of subscriptions that have ended.
	lost int
}

// cameMax is how many messages may wait to be put into the queues of their namespaces. That never takes long, but
// the goroutine may have to wait for a processor.
const cameMax = 1 << 15

// dial connects to the broker, each step within the time-out.
func dial(ctx context.Context, o nats.Options, reach func(*link)) (*link, error) {
	l := &link{
		timeout: o.FlusherTimeout, came: make(chan *nats.Msg, cameMax), reach: reach,
		Base: broker.NewBase(), flight: flight{wake: make(chan struct{}, 1)},
		subs: map[string]*nats.Subscription{}, slow: map[*nats.Subscription]int{},
	}
	o.CustomDialer = &dialer{ctx: ctx, link: l, timeout: o.Timeout, under: o.CustomDialer}
	o.ClosedCB = func(c *nats.Conn) { l.Fail(c.LastError()) }
	o.LameDuckModeHandler = func(*nats.Conn) { l.Fail(errLameDuck) }
	o.AsyncErrorCB = func(_ *nats.Conn, s *nats.Subscription, err error) { l.trouble(s, err) }
	conn, err := o.Connect()
	if err != nil {
		l.Fail(err)
		return nil, fmt.Errorf("nats: %w", err)
	}
	l.mu.Lock()
	l.conn = conn
	l.mu.Unlock()
	if l.Ended() {
		conn.Close()
		return nil, fmt.Errorf("nats: %w", l.Err())
	}
	return l, nil
}

var errLameDuck = errors.New("nats: the broker is about to end")

// dialer makes the connections of a link.
type dialer struct {
	ctx     context.Context
	link    *link
	timeout time.Duration
	under   nats.CustomDialer // of the configuration, or nil
}

// Dial implements nats.CustomDialer.
func (d *dialer) Dial(network, address string) (net.Conn, error) {
	conn, err := d.dial(network, address)
	if err != nil {
		return nil, err
	}
	return d.link.Add(conn)
}

func (d *dialer) dial(network, address string) (net.Conn, error) {
	if d.under != nil {
		return d.under.Dial(network, address)
	}
	return (&net.Dialer{Timeout: d.timeout}).DialContext(d.ctx, network, address)
}

// trouble takes an error of the client that no call returned. Without its rights the node would be deaf or mute.
func (l *link) trouble(s *nats.Subscription, err error) {
	switch {
	case errors.Is(err, nats.ErrSlowConsumer) && s != nil:
		l.mu.Lock()
		l.count(s)
		l.mu.Unlock()
	case errors.Is(err, nats.ErrPermissionViolation), errors.Is(err, nats.ErrMaxSubscriptionsExceeded):
		l.Fail(err)
	}
}

// dropped is how many messages the client has dropped because this node was too far behind.
func (l *link) dropped() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.lost
	for s := range l.slow {
		n += l.count(s)
	}
	return n
}

// count returns how many messages of a subscription were dropped. Called with the lock held.
func (l *link) count(s *nats.Subscription) int {
	if n, err := s.Dropped(); err == nil {
		l.slow[s] = n
	}
	return l.slow[s]
}

// Probe implements broker.Link.
func (l *link) Probe() {
	if err := l.ask(); err != nil {
		l.Fail(err)
		return
	}
	l.Came.Add(1)
}

// ask waits until the broker has got everything that was written before.
func (l *link) ask() error { return l.conn.FlushTimeout(l.timeout) }

// Fail implements broker.Link.
func (l *link) Fail(err error) {
	if !l.End(err, func() { l.dropped() }) { // the last count
		return
	}
	l.mu.Lock()
	conn := l.conn
	l.mu.Unlock()
	if conn != nil {
		go conn.Close() // the client waits for its own goroutines
	}
}

// Change implements broker.Subscriber.
func (l *link) Change(ctx context.Context, add, remove []string) error {
	for _, subject := range remove {
		l.mu.Lock()
		s := l.subs[subject]
		delete(l.subs, subject)
		if _, slow := l.slow[s]; slow {
			l.lost += l.count(s)
			delete(l.slow, s)
		}
		l.mu.Unlock()
		if s != nil {
			_ = s.Unsubscribe() // fails when the link has ended
		}
	}
	for _, subject := range add {
		s, err := l.conn.ChanSubscribe(subject, l.came)
		if err != nil {
			return fmt.Errorf("nats: %w", err)
		}
		l.mu.Lock()
		l.subs[subject] = s
		l.mu.Unlock()
	}
	if len(add) == 0 {
		return nil
	}
	ask := l.ask
	if _, limited := ctx.Deadline(); limited {
		ask = func() error { return l.conn.FlushWithContext(ctx) }
	}
	if err := ask(); err != nil {
		return fmt.Errorf("nats: %w", err)
	}
	l.reach(l)
	return nil
}
