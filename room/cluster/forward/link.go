package forward

import (
	"bytes"

	"github.com/seed58c87869/siren/poller"
	"github.com/seed58c87869/siren/poller/wheel"
)

// link is a connection to a peer on an event loop. It carries one request at a time. Loop-owned.
type link struct {
	lane *lane
	to   place
	conn *poller.Conn
	// passage is the request under way, or nil. left is the number of bytes of its answer's body that have not come;
	// it is negative until the head has.
	passage *passage
	left    int
	// last means that the peer closes the connection after the answer.
	last bool
	// idle closes a link without a request.
	idle wheel.Timer
}

func newLink(l *lane, to place, c *poller.Conn) *link {
	k := &link{lane: l, to: to, conn: c}
	to.peer.links.Add(1)
	k.idle.Init(k)
	return k
}

// begin sends a request.
func (k *link) begin(w *passage) {
	l := k.lane
	l.loop.Wheel().Cancel(&k.idle)
	k.passage, k.left, w.link = w, -1, k
	of := l.active[k.to.peer]
	if of == nil {
		of = map[*link]struct{}{}
		l.active[k.to.peer] = of
	}
	of[k] = struct{}{}
	request := w.Request()
	addr, secure := w.Client()
	var room [prefixMin + addrBytesMax]byte
	prefix := appendPrefix(room[:0], addr, secure, len(request))
	sent := false
	if len(request) <= copyMax {
		sent = k.conn.Queue(append(append(make([]byte, 0, len(prefix)+len(request)), prefix...), request...))
	} else {
		sent = k.conn.Queue(bytes.Clone(prefix)) && k.conn.Queue(request)
	}
	w.Release()
	if !sent {
		k.conn.Close() // Closed ends the request
	}
}

// copyMax is the longest request that is copied behind its prefix.
const copyMax = 16 << 10

// rest makes the link wait for its next request.
func (k *link) rest() {
	l := k.lane.loop
	l.Wheel().Schedule(&k.idle, wheel.Deadline(l.Now(), k.lane.node.cfg.IdleTimeout))
}

// Expire closes a link that was idle for too long.
func (k *link) Expire(int64) {
	if k.passage == nil {
		k.forget()
		k.conn.Close()
	}
}

// forget takes the link out of its lane's lists.
func (k *link) forget() {
	l := k.lane
	l.loop.Wheel().Cancel(&k.idle)
	if of := l.active[k.to.peer]; of != nil {
		delete(of, k)
		if len(of) == 0 {
			delete(l.active, k.to.peer)
		}
	}
	q := l.pool(k.to)
	for i, other := range q.idle {
		if other == k {
			q.idle = append(q.idle[:i], q.idle[i+1:]...)
			break
		}
	}
	l.tidy(k.to, q)
}

// Receive implements poller.Receiver: it passes the answer on.
func (k *link) Receive(data []byte) (n, need int) {
	for n < len(data) {
		w := k.passage
		if w == nil {
			k.forget()
			k.conn.Close() // nothing was asked
			return len(data), 0
		}
		used, ok := k.answer(w, data[n:])
		if n += used; !ok {
			return n, 0
		}
	}
	return n, 0
}

// answer passes a part of the answer on. It returns the number of bytes consumed, and false if the rest of the input
// has to wait or is not the link's any more.
func (k *link) answer(w *passage, data []byte) (n int, more bool) {
	if k.left < 0 {
		a, err := parseAnswer(data, w.Head())
		switch {
		case err != nil || a.status == 101 && !w.Upgrade():
			k.lane.node.stats.malformed.Add(1)
			w.fail(failedBroken)
			k.conn.Close()
			return len(data), false
		case a.size == 0:
			return 0, false
		case a.status == 101:
			k.splice(w, bytes.Clone(data[:a.size]))
			return a.size, false
		case a.status < 200:
			return a.size, true // the client has not asked for an interim answer
		}
		k.last, n = a.last, min(len(data), a.size+a.body)
		k.left = a.size + a.body - n
		part := make([]byte, 0, n+len(closeField))
		if part = append(part, data[:a.size]...); w.Last() && !a.last {
			part = append(append(part[:len(part)-len(crlf)], closeField...), crlf...)
		}
		w.Pass(append(part, data[a.size:n]...))
	} else {
		n = min(len(data), k.left)
		k.left -= n
		w.Pass(bytes.Clone(data[:n]))
	}
	k.lane.node.stats.answerBytes.Add(uint64(n))
	switch {
	case w.ended: // the client has gone, and the link is closing
		return len(data), false
	case !w.Waits():
		// The client's connection was cut, because it took no more.
		w.end()
		k.conn.Close()
		return len(data), false
	case k.left == 0:
		k.finish(w)
		return n, true
	case w.Queued() > k.lane.node.cfg.WindowBytes:
		k.conn.Hold()
		w.OnDrained(k.conn.Resume)
		return n, false
	}
	return n, true
}

// closeField is added to the answer to a client whose connection ends.
var closeField = []byte("Connection: close\r\n")

// finish ends a request that was answered.
func (k *link) finish(w *passage) {
	l := k.lane
	w.end()
	k.passage = nil
	if k.last {
		k.forget()
		k.conn.Close()
	} else {
		of := l.active[k.to.peer]
		if delete(of, k); len(of) == 0 {
			delete(l.active, k.to.peer)
		}
		l.free(k, l.pool(k.to))
	}
	w.End(false)
}

// Closed implements poller.Receiver.
func (k *link) Closed(error) {
	k.to.peer.links.Add(-1)
	k.forget()
	if w := k.passage; w != nil {
		k.passage = nil
		w.fail(failedBroken)
	}
}
