package nats

import (
	"context"
	"slices"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/seed58c87869/siren/room/cluster"
)

// connect makes a link with all subscriptions. The servers that the broker has told of are tried, too.
func (a *Adapter) connect(ctx context.Context, last *link) (*link, error) {
	o := a.options
	if last != nil {
		o.Servers = slices.Concat(o.Servers, last.conn.DiscoveredServers())
	}
	l, err := dial(ctx, o, a.reach)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, a.cfg.ConnectTimeout)
	defer cancel()
	if err := a.subs.SubscribeAll(ctx, l); err != nil {
		l.Fail(err)
		return nil, err
	}
	return l, nil
}

// follow runs what runs with a link.
func (a *Adapter) follow(l *link) {
	go a.subs.Follow(l)
	go a.confirm(l)
	go a.read(l)
	a.presence.connected(time.Now())
}

// try reports whether another connection to the broker works.
func (a *Adapter) try(ctx context.Context) error {
	l, err := dial(ctx, a.options, func(*link) {})
	if err == nil {
		l.Fail(nil)
	}
	return err
}

// reachTime bounds the wait for the other nodes after a subscription.
const reachTime = 500 * time.Millisecond

// reach waits until what other nodes publish reaches new subscriptions, in a broker of several servers.
func (a *Adapter) reach(l *link) {
	if a.keeper.Link() != l || l.conn.ConnectedClusterName() == "" {
		return
	}
	ctx, cancel := context.WithTimeout(a.ctx, reachTime)
	defer cancel()
	a.presence.reach(ctx)
}

// read takes what comes on a link, until that ends. It never waits for a namespace.
func (a *Adapter) read(l *link) {
	p := partials{longest: a.cfg.MaxMessage, bytesMax: a.cfg.InboxBytes}
	for {
		select {
		case <-l.Broken():
			return
		case m := <-l.came:
			l.Came.Add(1)
			if sp, _ := a.subs.Find(m.Sub.Subject); sp != nil {
				sp.put(delivery{data: m.Data})
			} else if m.Sub.Subject == a.nodes.all || m.Sub.Subject == a.nodes.own {
				a.hear(m, &p)
			}
		}
	}
}

// hear takes news of another node.
func (a *Adapter) hear(m *nats.Msg, p *partials) {
	b, err := p.whole(m.Data, a.cfg.MaxMessage)
	if b == nil && err == nil {
		return
	}
	var n news
	if err == nil {
		var kind byte
		if kind, b, err = frame(b); err == nil && kind != framePresence {
			err = errFormat
		}
	}
	if err == nil {
		n, err = readNews(b)
	}
	if err != nil {
		a.status.Malformed.Add(1)
		return
	}
	a.presence.receive(&n, time.Now())
}

// looksPerBeat is how often the other nodes are looked at between two heartbeats, so that one that is gone is noticed
// soon after its time.
const looksPerBeat = 4

// tell tells the other nodes of this one, until the adapter ends.
func (a *Adapter) tell() {
	defer close(a.told)
	if a.cfg.PublishOnly {
		return
	}
	tick := time.NewTicker(max(a.cfg.HeartbeatEvery/looksPerBeat, time.Millisecond))
	defer tick.Stop()
	last, beaten := time.Now(), time.Now()
	for {
		beat := false
		select {
		case <-a.ctx.Done():
			return
		case <-a.presence.wake:
		case <-tick.C:
			now := time.Now()
			// Without an answer of the broker nobody is heard, and while this process was stopped, nobody was.
			awake := now.Sub(last) < a.cfg.NodeTimeout-a.cfg.HeartbeatEvery
			a.presence.look(now, awake && a.status.State() == cluster.Up)
			last = now
			if beat = now.Sub(beaten) >= a.cfg.HeartbeatEvery-a.cfg.HeartbeatEvery/looksPerBeat/2; beat {
				beaten = now
			}
		}
		a.tellNow(beat)
	}
}

// tellNow sends what is to be told.
func (a *Adapter) tellNow(beat bool) {
	l := a.keeper.Link()
	if l == nil || a.status.State() == cluster.Closed {
		return // this node introduces itself on the next connection
	}
	for _, x := range a.presence.letters(beat, time.Now()) {
		a.post(l, &x)
	}
}

// post sends a letter. What is lost is asked for later.
func (a *Adapter) post(l *link, x *letter) {
	subject := a.nodes.all
	if x.to != "" {
		subject = a.nodes.node + token(x.to)
	}
	if err := a.publish(l, subject, appendNews(nil, &x.news)); err != nil && err != errTooLong {
		l.Fail(err)
	}
}

// farewell tells the others that this node leaves. It may block until the link ends.
func (a *Adapter) farewell(l *link) {
	if !a.cfg.PublishOnly {
		a.post(l, &letter{"", news{verb: verbBye, node: a.cfg.Node, began: a.presence.began}})
	}
	_ = l.ask() // the others notice its absence later
}
