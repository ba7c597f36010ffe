package session

import (
	"net/netip"

	"github.com/seed58c87869/siren/codec/deflate"
	"github.com/seed58c87869/siren/codec/httpwire"
)

// Exchange is one HTTP request and its answer. Its connection uses it again for the next request, so a reference that
// outlives the answer is an asker. Loop-owned by the connection's loop.
type Exchange struct {
	// conn is the connection that the request came by. Immutable.
	conn *HTTPConn
	// fields are header fields that the answer gets, as name/value pairs: those of CORS, and what hooks made of them.
	fields []string
	// home is the shard whose session the request waits for, nil when it waits for none. sid is that session's id. It
	// stays for the next request, which is most likely for the same session.
	home *Shard
	sid  string
	// cancel, when set, is called when the connection closes before the answer.
	cancel func()
	// turn counts the answers, so that an answer to an earlier request is known as such.
	turn   uint32
	traits traits
	// coding is how the answer may be compressed.
	coding deflate.Coding
	// last: the connection closes behind the answer.
	last bool
	// polls: the request is a GET that waits in a session.
	polls bool
}

// traits are what the answer to a request depends on, besides its target. A plain value.
type traits uint8

const (
	// isHead: the answer has no body.
	isHead traits = 1 << iota
	// hasBody: the request has one.
	hasBody
	// whole: all of the request has arrived.
	whole
	// amended: the hook for headers has seen the answer's.
	amended
)

func (t traits) is(bit traits) bool { return t&bit != 0 }

// of returns t for a request. Whether it is whole, or amended, may be known before.
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

// asker is a reference to a request that waits for its answer: an exchange, and which of its turns. An answer may be given
// on any shard, late, and more than once: the first one counts. Immutable; the zero value refers to nothing.
type asker struct {
	x    *Exchange
	turn uint32
}

// asker refers to the request in progress.
func (x *Exchange) asker() asker { return asker{x, x.turn} }

// waits reports whether the request has no answer yet. It is called on the connection's loop.
func (a asker) waits() bool { return a.turn == a.x.turn }

// Loop is the connection's event loop. Immutable.
func (x *Exchange) Loop() Loop { return x.conn.shard.loop }

// RemoteAddr is the address of the connection's peer, or the one that a PROXY header has told. Immutable.
func (x *Exchange) RemoteAddr() netip.AddrPort {
	if p := x.conn.peer; p != nil {
		return p.Addr
	}
	return x.conn.conn.RemoteAddr()
}

// OnGone sets a function that is called when the connection closes before the request is answered.
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

// atHome runs fn, which is about the request, on the home loop of its session: now, when the caller is there already. If fn
// panics, the connection ends behind what it has been answered.
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

// end forgets the request, which is answered. Its session is told that the answer is lost if it cannot be written, so that
// one stays.
func (x *Exchange) end() {
	x.turn++
	delete(x.conn.shard.noted, x)
	x.fields, x.cancel, x.traits, x.polls = nil, nil, 0, false
}

// abandon forgets the request because the connection has closed.
func (x *Exchange) abandon() {
	delete(x.conn.shard.noted, x)
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
