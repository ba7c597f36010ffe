package session

import (
	"net/netip"

	"github.com/seed58c87869/siren/codec/deflate"
	"github.com/seed58c87869/siren/codec/httpwire"
)

// Exchange is one HTTP request and its answer. Its connection reuses it for the next request, so references that may
// outlive the answer are requestRefs. Loop-owned by the connection's loop.
type Exchange struct {
	// conn is the request's connection. Immutable.
	conn *HTTPConn
	// fields are the answer's header fields, as name/value pairs: those of CORS, with the changes of hooks.
	fields []string
	// home is the home shard of the session that the request waits for, or nil; sid is that session's id. sid stays for
	// the next request, which is most likely for the same session.
	home *Shard
	sid  string
	// cancel, when set, is called when the connection closes before the answer.
	cancel func()
	// turn counts the answers, so that an answer to an earlier request can be recognised.
	turn   uint32
	traits traits
	// coding is the compression that the client accepts for the answer.
	coding deflate.Coding
	// last means that the connection closes after the answer.
	last bool
	// polls means that the request is a GET that waits in a session.
	polls bool
}

// traits are the properties of a request, besides its target, that its answer depends on. A plain value.
type traits uint8

const (
	// isHead means that the method is HEAD, so the answer has no body.
	isHead traits = 1 << iota
	// hasBody means that the request has a body.
	hasBody
	// whole means that all of the request has arrived.
	whole
	// amended means that Config.OnHeaders was called for the answer.
	amended
	// asksPolling and asksSocket mean that the request asks for a new session on that transport; both, that it names no
	// transport of the server's.
	asksPolling
	asksSocket
	// asksUpgrade means that the request asks for a WebSocket for its session.
	asksUpgrade
)

// asks are the traits of a handshake.
const asks = asksPolling | asksSocket

func (t traits) is(bit traits) bool { return t&bit != 0 }

// of returns the traits of a request. It keeps whole and amended, which may be set before.
func (t traits) of(r *httpwire.Request) traits {
	t &= whole | amended
	if string(r.Method) == "HEAD" {
		t |= isHead
	}
	if r.ContentLength != 0 {
		t |= hasBody
	}
	return t
}

// requestRef refers to a request that waits for its answer: an exchange, and which of its turns. The request may be
// answered from any shard, late, and more than once; the first answer counts. Immutable; the zero value refers to
// nothing.
type requestRef struct {
	x    *Exchange
	turn uint32
}

// ref returns a reference to the request in progress.
func (x *Exchange) ref() requestRef { return requestRef{x, x.turn} }

// waits reports whether the request has no answer yet. It is called on the connection's loop.
func (a requestRef) waits() bool { return a.turn == a.x.turn }

// Loop returns the connection's event loop. Safe for concurrent use.
func (x *Exchange) Loop() Loop { return x.conn.shard.loop }

// RemoteAddr returns the address of the connection's peer, or the one in its PROXY header. Safe for concurrent use.
func (x *Exchange) RemoteAddr() netip.AddrPort {
	if p := x.conn.peer; p != nil {
		return p.Addr
	}
	return x.conn.conn.RemoteAddr()
}

// OnGone sets a function to call if the connection closes before the request is answered.
func (x *Exchange) OnGone(fn func()) { x.cancel = fn }

// firstRequest packs the request.
func (x *Exchange) firstRequest(r *httpwire.Request) firstRequest {
	p := x.conn.peer
	return newFirstRequest(r.Head, x.RemoteAddr(), p != nil && p.Secure)
}

// waitFor notes the session that the request belongs to.
func (x *Exchange) waitFor(home *Shard, sid []byte) {
	x.home = home
	if x.sid != string(sid) {
		x.sid = string(sid)
	}
}

// atHome runs fn on the home loop of the request's session, at once if the caller is there already. If fn panics, the
// connection closes after the answers that it has sent.
func (x *Exchange) atHome(home *Shard, fn func()) {
	h := x.conn
	h.shard.on(home, func() {
		defer func() {
			if v := recover(); v != nil {
				h.post(h.conn.CloseAfterFlush)
				panic(v)
			}
		}()
		fn()
	})
}

// end forgets the answered request. It keeps home and sid: if the answer cannot be written, the session is told that it
// is lost.
func (x *Exchange) end() {
	x.turn++
	delete(x.conn.shard.noted, x)
	delete(x.conn.shard.kept, x)
	x.fields, x.cancel, x.traits, x.polls = nil, nil, 0, false
}

// abandon forgets the request because the connection has closed.
func (x *Exchange) abandon() {
	delete(x.conn.shard.noted, x)
	delete(x.conn.shard.kept, x)
	if x.cancel != nil {
		x.cancel()
	}
	if x.home != nil {
		x.leave(true)
	}
}

// leave tells the session of the request that it will get no answer, or no body. broken ends the session.
func (x *Exchange) leave(broken bool) {
	home, sid := x.home, x.sid
	x.home = nil
	x.conn.shard.on(home, func() {
		if s := home.sessions[sid]; s != nil {
			defer s.EndOnPanic()
			s.onGone(x, broken)
		}
	})
}
