package forward

import (
	"bytes"

	"github.com/seed58c87869/siren/session"
)

// half is one direction of a WebSocket that is spliced: it receives from one connection and sends on the other. Both
// are of the same loop. Loop-owned.
type half struct {
	from, to session.StreamConn
	// window is the number of bytes that may wait in to before from is not read.
	window int
	// count counts what was passed on.
	count func(n int)
	// closed is called at the end of from.
	closed func()
}

// splice joins the link with the client's connection. answer is the peer's answer to the opening handshake.
func (k *link) splice(w *passage, answer []byte) {
	l := k.lane
	p, n := k.to.peer, l.node
	k.forget()
	w.end()
	k.passage = nil
	p.sockets.Add(1)
	n.stats.sockets.Add(1)
	open := true
	closed := func() {
		if open {
			open = false
			p.sockets.Add(-1)
		}
	}
	up := &half{to: k.conn, window: n.cfg.WindowBytes, closed: closed, count: n.stats.countUp}
	client := w.Become(answer, up)
	if client == nil {
		closed()
		k.conn.Close()
		return
	}
	up.from = client
	down := &half{from: k.conn, to: client, window: n.cfg.WindowBytes, closed: closed, count: n.stats.countDown}
	k.conn.SetReceiver(down)
	p.links.Add(-1)
}

// Receive implements session.Receiver.
func (h *half) Receive(data []byte) (n, need int) {
	h.count(len(data))
	if !h.to.Queue(bytes.Clone(data)) {
		h.to.Close() // which ends both
		h.from.Close()
		return len(data), 0
	}
	if h.to.QueuedBytes() > h.window {
		h.from.Hold()
		h.to.OnDrained(h.from.Resume)
	}
	return len(data), 0
}

// Closed implements session.Receiver: what was received is still sent.
func (h *half) Closed(error) {
	h.closed()
	h.to.CloseAfterFlush()
}
