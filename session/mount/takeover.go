package mount

import (
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/seed58c87869/siren/poller"
	"github.com/seed58c87869/siren/session"
)

// asksForWebSocket reports whether a request asks for a WebSocket (RFC 6455, section 4.1).
func asksForWebSocket(r *http.Request) bool {
	return hasToken(r.Header["Connection"], "upgrade") && hasToken(r.Header["Upgrade"], "websocket") ||
		r.Method == http.MethodConnect && r.ProtoMajor > 1 // RFC 8441
}

func hasToken(values []string, token string) bool {
	for _, v := range values {
		for item := range strings.SplitSeq(v, ",") {
			if strings.EqualFold(strings.Trim(item, " \t"), token) {
				return true
			}
		}
	}
	return false
}

// linger is how long net/http reads on after an answer that ends its connection, so that the client gets the answer
// rather than a reset. Afterwards the connection closes.
const linger = time.Second

// closes makes net/http close the request's connection after the answer, without waiting for the body.
func closes(w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor == 1 {
		w.Header().Set("Connection", "close")
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(linger))
	}
}

// turnAway refuses a request for a WebSocket, and closes its connection, because further requests on it would not be
// for net/http.
func turnAway(w http.ResponseWriter, r *http.Request, text string, status int) {
	closes(w, r)
	http.Error(w, text, status)
}

// takeOver takes a connection that asks for a WebSocket from net/http. The session layer parses the request again from
// its bytes, and so handles the whole opening handshake. If it refuses the request, it answers on the same connection,
// which then ends.
func (h *Handler) takeOver(e *engine, w http.ResponseWriter, r *http.Request, target string) {
	switch {
	case r.ProtoMajor != 1:
		turnAway(w, r, "WebSockets need HTTP/1.1 here", http.StatusNotImplemented)
		return
	case !r.ProtoAtLeast(1, 1):
		turnAway(w, r, "WebSockets need HTTP/1.1", http.StatusBadRequest)
		return
	case r.ContentLength != 0:
		turnAway(w, r, "A WebSocket request has no body", http.StatusBadRequest)
		return
	case h.cfg.Full(h.Bridged()):
		w.Header().Set("Retry-After", "5")
		turnAway(w, r, "Too many connections", http.StatusServiceUnavailable)
		return
	}
	loop, peer := h.loopFor(e, r), peerOf(r)
	peer.Single = true // the next request on this connection would be the program's
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		h.cfg.Logger.Warn("a WebSocket cannot be taken over: its ResponseWriter has no Hijack, so clients stay on polling",
			"addr", peer.Addr, "err", err)
		turnAway(w, r, "WebSockets are not possible here", http.StatusNotImplemented)
		return
	}
	first := appendHead(nil, r, target, 0)
	if n := buffered.Reader.Buffered(); n > 0 {
		ahead, _ := buffered.Reader.Peek(n)
		first = append(first, ahead...)
	}
	if native, ok := loop.(*poller.Loop); ok && adoptable(conn) {
		err := native.Adopt(conn, first, func(c *poller.Conn) poller.Receiver {
			return e.AcceptFrom(c, c.Loop().Index(), peer)
		})
		if err != nil {
			h.cfg.Logger.Debug("not adopted", "addr", peer.Addr, "err", err)
		}
		return
	}
	h.startWire(e, loop, conn, peer, first)
}

// adoptable reports whether an event loop can watch the connection itself.
func adoptable(c net.Conn) bool {
	switch c.(type) {
	case *net.TCPConn, *net.UnixConn:
		return true
	}
	return false
}

// startWire bridges a connection to the loop.
func (h *Handler) startWire(e *engine, loop Loop, conn net.Conn, peer session.Peer, first []byte) {
	wr := &wire{h: h, conn: conn}
	wr.bridge = newBridge(loop, peer.Addr, wr.kicked)
	if !h.add(wr) {
		_ = conn.Close()
		return
	}
	h.wires.Add(1)
	wr.begin(func(c session.StreamConn, loop int) session.Receiver { return e.AcceptFrom(c, loop, peer) }, first)
	go wr.read()
}
