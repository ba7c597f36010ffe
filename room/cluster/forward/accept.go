package forward

import (
	"errors"
	"io"
	"net"
	"time"

	"github.com/seed58c87869/siren/poller"
	"github.com/seed58c87869/siren/session"
)

// acceptPause is the pause after an accept that has failed, for want of descriptors for example.
const acceptPause = 20 * time.Millisecond

// accept takes connections of other nodes until the Node closes.
func (n *Node) accept() {
	for {
		c, err := n.ln.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			select {
			case <-time.After(acceptPause):
			case <-n.ctx.Done():
			}
			continue
		}
		if !n.admit(c) {
			_ = c.Close()
			continue
		}
		n.work.Go(func() { n.greeted(c) })
	}
}

// admit counts a connection that has proved nothing. It returns false above MaxGreetings, and after Close.
func (n *Node) admit(c net.Conn) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return false
	}
	if n.greetings >= n.cfg.MaxGreetings {
		n.stats.refused[refusedFull].Add(1)
		return false
	}
	n.greetings++
	n.conns[c] = struct{}{}
	return true
}

// greeted serves a connection of another node, or closes it.
func (n *Node) greeted(c net.Conn) {
	_ = c.SetDeadline(time.Now().Add(n.cfg.GreetTimeout))
	h, err := welcome(c, n.keys, n.own, time.Now(), n.cfg.Skew)
	n.mu.Lock()
	n.greetings--
	n.mu.Unlock()
	if err != nil {
		n.refuse(c, err)
		n.release(c)
		_ = c.Close()
		return
	}
	if h.kind == kindLink {
		n.takeLink(c, h)
		return
	}
	n.watched(c, h)
	n.release(c)
	_ = c.Close()
}

// refuse counts a connection that has not proved who it is, and logs it.
func (n *Node) refuse(c net.Conn, err error) {
	for i, reason := range refusals {
		if reason != nil && errors.Is(err, reason) {
			n.stats.refused[i].Add(1)
		}
	}
	if errors.Is(err, errProof) || errors.Is(err, errTime) {
		n.cfg.Logger.Warn("connection to the nodes' listener refused", "addr", c.RemoteAddr().String(), "reason", err.Error())
	}
}

// takeLink gives a link to the loop of the session that its dialer has named.
func (n *Node) takeLink(c net.Conn, h hello) {
	select {
	case <-n.begun:
	case <-n.ctx.Done():
	case <-time.After(n.cfg.GreetTimeout): // the server has not begun yet
	}
	n.release(c)
	s := n.serving.Load()
	if s == nil || n.ctx.Err() != nil || c.SetDeadline(time.Time{}) != nil {
		_ = c.Close()
		return
	}
	head := func(data []byte) (session.Peer, int, int, error) { return n.head(data, s.requestMax) }
	if err := s.lanes[int(h.loop)%len(s.lanes)].loop.Adopt(c, nil, func(c *poller.Conn) poller.Receiver {
		n.stats.links.Add(1)
		return s.engine.AcceptLinked(c, c.Loop().Index(), head)
	}); err != nil {
		n.cfg.Logger.Debug("link not taken", "err", err)
	}
}

// head is the session.LinkHead of links.
func (n *Node) head(data []byte, requestMax int) (p session.Peer, request, size int, err error) {
	p, request, size, err = parsePrefix(data, requestMax)
	switch {
	case err != nil:
		n.stats.malformed.Add(1)
	case size > 0:
		n.stats.received.Add(1)
	}
	return p, request, size, err
}

// watched answers a node that watches this one.
func (n *Node) watched(c net.Conn, h hello) {
	address, err := hearAddress(c)
	if err != nil {
		return
	}
	n.countWatcher(h.from, 1)
	defer n.countWatcher(h.from, -1)
	n.meet(address, false)
	b := make([]byte, 1)
	for {
		_ = c.SetDeadline(time.Now().Add(watchedMax))
		if _, err := io.ReadFull(c, b); err != nil || b[0] != pingByte {
			return
		}
		if _, err := c.Write(b); err != nil {
			return
		}
	}
}

// watchedMax closes a connection on which a node that watches this one has gone silent. It is two of the longest
// Config.PingInterval. Such a node connects again.
const watchedMax = 2 * time.Minute

func (n *Node) countWatcher(t tag, by int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.watchers[t] += by; n.watchers[t] == 0 {
		delete(n.watchers, t)
	}
}
