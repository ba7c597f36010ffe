package forward

import (
	"errors"
	"slices"

	"github.com/seed58c87869/siren/poller"
	"github.com/seed58c87869/siren/session"
)

// lane has the links of one event loop. Loop-owned.
type lane struct {
	node  *Node
	loop  *poller.Loop
	pools map[place]*pool
	// active has the links with a request, by peer.
	active map[*peer]map[*link]struct{}
}

// place is a loop of a peer.
type place struct {
	peer *peer
	loop byte
}

// pool has the links to one place. Loop-owned.
type pool struct {
	// idle are links without a request, the latest last; waiting are requests without a link, in their order.
	idle    []*link
	waiting []*passage
	// dialing is the number of links that are being made.
	dialing int
}

// maxDials bounds the links that are being made at once, for each pool. The others wait for these, or for a link that
// becomes free.
const maxDials = 16

// passage is one request on its way to a peer and back. Loop-owned.
type passage struct {
	*session.Forwarded
	lane *lane
	to   place
	// link is nil until there is one.
	link *link
	// waits is the number of bytes in the loop's ledger while the request has no link.
	waits int
	ended bool
}

func newLane(n *Node, loop *poller.Loop) *lane {
	return &lane{node: n, loop: loop, pools: map[place]*pool{}, active: map[*peer]map[*link]struct{}{}}
}

func (l *lane) pool(to place) *pool {
	p := l.pools[to]
	if p == nil {
		p = new(pool)
		l.pools[to] = p
	}
	return p
}

// pass passes a request on.
func (l *lane) pass(f *session.Forwarded, p *peer, loop byte) {
	n := l.node
	w := &passage{Forwarded: f, lane: l, to: place{p, loop}}
	if p.state() == Stalled {
		n.stats.failed[failedStalled].Add(1)
		f.Unavailable("The node does not answer")
		return
	}
	full := p.forwards.Add(1) > int64(n.cfg.MaxForwards)
	if full || f.Upgrade() && p.sockets.Load() >= int64(n.cfg.MaxWebSockets) {
		p.forwards.Add(-1)
		n.stats.failed[failedFull].Add(1)
		f.Unavailable("Too many requests are passed on")
		return
	}
	n.stats.sent.Add(1)
	f.OnGone(w.gone)
	q := l.pool(w.to)
	if k := len(q.idle); k > 0 {
		link := q.idle[k-1]
		q.idle[k-1] = nil
		q.idle = q.idle[:k-1]
		link.begin(w)
		return
	}
	w.waits = len(f.Request())
	l.loop.Memory().Add(w.waits)
	q.waiting = append(q.waiting, w)
	l.dial(w.to, q)
}

// dial makes links for the requests that wait.
func (l *lane) dial(to place, q *pool) {
	for ; q.dialing < maxDials && q.dialing < len(q.waiting); q.dialing++ {
		// The goroutine ends within DialTimeout and GreetTimeout, or with the Node.
		l.node.stats.dials.Add(1)
		go l.connect(to)
	}
}

// connect makes a link, off the loop.
func (l *lane) connect(to place) {
	n := l.node
	c, _, err := to.peer.connect(kindLink, to.loop, tag(to.peer.tag.Load()))
	if err == nil {
		n.release(c)
		misplaced := false
		err = l.loop.Adopt(c, nil, func(c *poller.Conn) poller.Receiver {
			if c.Loop() != l.loop { // the engine has just begun, and gnet has not revealed the loop
				misplaced = true
				return nil
			}
			link := newLink(l, to, c)
			q := l.pool(to)
			q.dialing--
			l.free(link, q)
			return link
		})
		switch {
		case misplaced:
			err = errMisplaced
		case err == nil:
			return
		}
	}
	l.loop.PostFunc(func() { l.failed(to, err) })
}

var errMisplaced = errors.New("forward: the event loop cannot be reached yet")

// free gives a link without a request the next one, or keeps it.
func (l *lane) free(link *link, q *pool) {
	if len(q.waiting) > 0 {
		w := q.waiting[0]
		q.waiting = slices.Delete(q.waiting, 0, 1)
		w.unwait()
		link.begin(w)
		l.dial(link.to, q)
		return
	}
	if link.to.peer.links.Load() > int64(l.node.cfg.MaxForwards) {
		// Ids name loops, which their clients can change, and each loop has links of its own.
		link.conn.Close()
		return
	}
	link.rest()
	q.idle = append(q.idle, link)
}

// failed ends the requests that wait for links to a place, because one could not be made. A later request tries again.
func (l *lane) failed(to place, err error) {
	q := l.pool(to)
	q.dialing--
	waiting := q.waiting
	q.waiting = nil
	for _, w := range waiting {
		w.unwait()
		if errors.Is(err, errOther) { // another process has the address: the session's has gone
			w.fail(failedGone)
			continue
		}
		w.fail(failedDial)
	}
	l.tidy(to, q)
}

// fail ends the requests under way to a peer that is in state s, and closes its links.
func (l *lane) fail(p *peer, s State) {
	why := failedGone
	if s == Stalled {
		why = failedStalled
	}
	for link := range l.active[p] {
		link.passage.fail(why)
		link.conn.Close()
	}
	for to, q := range l.pools {
		if to.peer != p {
			continue
		}
		waiting := q.waiting
		q.waiting = nil
		for _, w := range waiting {
			w.unwait()
			w.fail(why)
		}
		for _, link := range q.idle {
			link.conn.Close()
		}
		q.idle = nil
		l.tidy(to, q)
	}
}

// tidy removes an empty pool.
func (l *lane) tidy(to place, q *pool) {
	if len(q.idle) == 0 && len(q.waiting) == 0 && q.dialing == 0 {
		delete(l.pools, to)
	}
}

// unwait notes that the request has a link, or has ended.
func (w *passage) unwait() {
	w.lane.loop.Memory().Add(-w.waits)
	w.waits = 0
}

// end counts the end of the request. It returns false if that was counted before.
func (w *passage) end() bool {
	if w.ended {
		return false
	}
	w.ended = true
	w.to.peer.forwards.Add(-1)
	return true
}

// fail answers the request because the node cannot.
func (w *passage) fail(why failure) {
	if !w.end() {
		return
	}
	w.lane.node.stats.failed[why].Add(1)
	if why == failedGone {
		w.Unknown()
		return
	}
	w.Unavailable(failureTexts[why])
}

// gone is called when the client's connection closes before the request is answered.
func (w *passage) gone() {
	if !w.end() {
		return
	}
	w.lane.node.stats.gone.Add(1)
	if w.link != nil {
		w.link.conn.Close() // so that the node is told
		return
	}
	q := w.lane.pool(w.to)
	q.waiting = slices.DeleteFunc(q.waiting, func(other *passage) bool { return other == w })
	w.unwait()
}
