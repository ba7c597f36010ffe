package session

import (
	"bytes"
	"net/netip"
	"strconv"

	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/codec/httpwire"
)

// Forwarder makes session ids that name the node that has the session, and passes requests for sessions of other nodes
// on to these nodes. A load balancer then needs no sticky sessions. Safe for concurrent use.
type Forwarder interface {
	// Begin is called once, before the first connection. The engine's Accept functions may be called from then on.
	Begin(e *Engine, loops []Loop) error
	// NewSID returns the id of a new session of this node. Its home is the loop with that index.
	NewSID(loop int) string
	// LoopOf returns the loop that the id names. ok is false if the id does not name this node.
	LoopOf(sid []byte) (loop int, ok bool)
	// Knows reports whether the id names another node that is known. Requests for other ids are refused at once.
	Knows(sid []byte) bool
	// Forward is called on the loop of the client's connection with a request for whose id Knows is true. It must not
	// block, and must see to it that the request is answered within a bounded time, through f.
	Forward(f *Forwarded, sid []byte)
}

// Forwarded is a client's request that another node answers. The answer is passed on as it arrives: Pass and then End,
// or Become for a WebSocket; or the request is refused. After the first of End, Become, Unknown and Unavailable, and
// after the client has gone, all methods do nothing. Loop-owned by the loop of the client's connection.
type Forwarded struct {
	x       *Exchange
	turn    uint32
	upgrade bool
	head    bool
	// behind means that the answer waits for that of an earlier request; kept has its parts until it is complete.
	behind  bool
	kept    []byte
	begun   bool
	request []byte
}

// forwardedKeptMax bounds the answer to a POST that was pipelined behind a GET. The official answer is "ok".
const forwardedKeptMax = 64 << 10

// forward has the Forwarder answer a request.
func (x *Exchange) forward(r *httpwire.Request, t *target) {
	h := x.conn
	f := &Forwarded{
		x: x, turn: x.turn, upgrade: t.upgrade, head: x.traits.is(isHead), behind: x != &h.first,
		request: appendRequest(nil, r, t.upgrade),
	}
	x.polls = kindOf(r) == kindGet
	h.shard.engine.cfg.Forwarder.Forward(f, t.sid)
}

// appendRequest appends a request as it is passed on to another node: in HTTP/1.1, on a connection that stays open,
// with a body of known length. An opening handshake is passed on with its own version and connection fields.
func appendRequest(dst []byte, r *httpwire.Request, upgrade bool) []byte {
	if upgrade {
		return append(append(append(dst, r.Head...), "\r\n"...), r.Body...)
	}
	dst = append(append(append(dst, r.Method...), ' '), r.Target...)
	dst = append(dst, " HTTP/1.1\r\n"...)
	for i := range r.Fields {
		if f := &r.Fields[i]; !ownField(f.Name) {
			dst = append(append(append(append(dst, f.Name...), ": "...), f.Value...), "\r\n"...)
		}
	}
	if len(r.Body) > 0 || string(r.Method) == "POST" {
		dst = append(dst, "Content-Length: "...)
		dst = append(strconv.AppendInt(dst, int64(len(r.Body)), 10), "\r\n"...)
	}
	return append(append(dst, "\r\n"...), r.Body...)
}

// ownFields describe the connection, or the framing of a body, and are not passed on.
var ownFields = [...]string{
	"Connection", "Keep-Alive", "Proxy-Connection", "Content-Length", "Transfer-Encoding", "Trailer", "TE", "Expect",
	"Upgrade",
}

func ownField(name []byte) bool {
	for _, own := range ownFields {
		if len(own) == len(name) && bytes.EqualFold(name, []byte(own)) {
			return true
		}
	}
	return false
}

// waits reports whether the client still waits for the answer.
func (f *Forwarded) waits() bool { return !f.x.conn.gone && f.turn == f.x.turn }

// Waits reports whether the client still waits for the answer, or for more of it.
func (f *Forwarded) Waits() bool { return f.waits() }

// Request returns the request in HTTP/1.1, with its body. It must not be changed.
func (f *Forwarded) Request() []byte { return f.request }

// Release forgets the request, which has been passed on.
func (f *Forwarded) Release() { f.request = nil }

// Upgrade reports whether the request asks for a WebSocket, Head whether its method is HEAD.
func (f *Forwarded) Upgrade() bool { return f.upgrade }

// Head reports whether the method is HEAD, so that the answer has no body.
func (f *Forwarded) Head() bool { return f.head }

// Loop returns the loop of the client's connection. Safe for concurrent use.
func (f *Forwarded) Loop() Loop { return f.x.conn.shard.loop }

// Client returns what this node knows about the client's connection.
func (f *Forwarded) Client() (addr netip.AddrPort, secure bool) {
	p := f.x.conn.peer
	return f.x.RemoteAddr(), p != nil && p.Secure
}

// OnGone sets a function to call if the client's connection closes before the request is answered.
func (f *Forwarded) OnGone(fn func()) {
	if f.waits() {
		f.x.OnGone(fn)
	}
}

// Last reports whether the client's connection ends after the answer, which should then have Connection: close.
func (f *Forwarded) Last() bool { return f.x.last }

// Pass sends a part of the answer, which must not change afterwards. It returns false if the rest is not needed.
func (f *Forwarded) Pass(part []byte) bool {
	if !f.waits() {
		return false
	}
	f.begun = true
	h := f.x.conn
	if f.behind {
		if f.kept = append(f.kept, part...); len(f.kept) > forwardedKeptMax {
			f.cut()
			return false
		}
		return true
	}
	if !h.conn.Queue(part) {
		f.cut()
		return false
	}
	return true
}

// Queued returns the number of bytes that the client has not taken. OnDrained calls fn when it has taken them all.
func (f *Forwarded) Queued() int { return f.x.conn.conn.QueuedBytes() }

// OnDrained calls fn when the client has taken everything; see StreamConn.
func (f *Forwarded) OnDrained(fn func()) { f.x.conn.conn.OnDrained(fn) }

// End ends the answer. last closes the client's connection after it.
func (f *Forwarded) End(last bool) {
	if f.waits() {
		f.x.last = f.x.last || last
		f.x.send(f.kept, nil)
	}
}

// Become sends the answer to an opening handshake and makes r the receiver of the connection, which it returns. It
// returns nil if the client has gone.
func (f *Forwarded) Become(answer []byte, r Receiver) StreamConn {
	if !f.waits() {
		return nil
	}
	h := f.x.conn
	f.x.end()
	h.stop(phaseHanded)
	if !h.conn.Queue(answer) {
		h.conn.Close()
		return nil
	}
	h.conn.SetReceiver(r)
	h.conn.Resume()
	return h.conn
}

// Unknown refuses the request because no node has the session.
func (f *Forwarded) Unknown() { f.refuse(refusalFor(eio.SessionIDUnknown, "", nil)) }

// Unavailable refuses the request because the session's node cannot be asked now. A part of an answer that was passed
// on before ends the connection.
func (f *Forwarded) Unavailable(why string) {
	f.refuse(reply{status: 503, contentType: typeText, name: "Retry-After", value: "1", body: []byte(why)})
}

func (f *Forwarded) refuse(r reply) {
	switch {
	case !f.waits():
	case f.begun:
		f.cut()
	default:
		f.x.answer(r)
	}
}

// cut closes the client's connection, because its answer cannot be completed.
func (f *Forwarded) cut() {
	h := f.x.conn
	f.x.end()
	h.stop(phaseEnding)
	h.conn.Close()
}
