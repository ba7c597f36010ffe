package session

import (
	"slices"
	"sync/atomic"

	"github.com/seed58c87869/siren/codec/deflate"
	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/codec/httpwire"
	"github.com/seed58c87869/siren/codec/wsframe"
	"github.com/seed58c87869/siren/poller/memory"
)

// Shard holds the sessions of one event loop. Loop-owned, except for the counters.
type Shard struct {
	engine   *Engine
	loop     Loop
	memory   *memory.Ledger
	index    int
	sessions map[string]*Session
	// req and msg are scratch for the request or message that is being handled.
	req httpwire.Request
	msg wsframe.Message
	// scratch is the buffer in which a polling payload is built before it is copied at its exact size.
	scratch []byte
	// before is scratch for the packets of a queue while they are encoded.
	before []*eio.Frame
	// packed and inflated are scratch for a compressed payload and for an inflated message.
	packed, inflated []byte
	// windows has the contexts of this loop's WebSockets with client context takeover; nil until there is one.
	windows map[*wsConn]*deflate.Window
	// deaf is set when messages of clients are discarded, because the engine is closing.
	deaf bool
	// draining is nil unless Engine.Drain was called.
	draining *drain
	// inflating has the messages that take more than one turn; inflateFn continues the first of them.
	inflating     []*inflating
	inflatePosted bool
	inflateFn     func()
	// fields is scratch for the header fields of a response.
	fields []string
	// headRoom is the size of the longest head of an answer so far, at most responseHeadRoom.
	headRoom int
	// flushable has the polling sessions with frames for a waiting GET. One posted function serves them all, so that
	// the frames of one turn are sent in one payload.
	flushable   []*Session
	flushPosted bool
	flushFn     func()
	// dateText is the value of Date until the loop's clock shows dateUntil.
	dateText  string
	dateUntil int64
	slow      slowLog
	// noted has the requests in progress; nil unless Config.OnConnectionError is set.
	noted map[*Exchange]firstRequest
	// kept has the polling requests in progress while another process may have their sessions; nil before.
	kept map[*Exchange][]byte
	// spares are the connections above the limit.
	spares spares

	traffic Traffic
	count   atomic.Int64
	stats   counters
}

// scratchKeep is the largest payload scratch, in bytes, that a shard keeps.
const scratchKeep = 256 << 10

// beforeKeep is the largest capacity of Shard.before that a shard keeps.
const beforeKeep = 1 << 10

func newShard(e *Engine, l Loop, loops int) *Shard {
	sh := &Shard{engine: e, loop: l, memory: l.Memory(), index: l.Index(), sessions: make(map[string]*Session)}
	sh.flushFn, sh.inflateFn = sh.flushPolls, sh.inflate
	sh.spares.most = sparesPerShard(&e.cfg, loops)
	if e.cfg.OnConnectionError != nil {
		sh.noted = make(map[*Exchange]firstRequest)
	}
	return sh
}

// Index returns the number of the shard and of its loop. Immutable.
func (sh *Shard) Index() int { return sh.index }

// Loop returns the shard's event loop. Immutable.
func (sh *Shard) Loop() Loop { return sh.loop }

// open makes a session with an id that was claimed. The caller must set its transport and the application's Client.
func (sh *Shard) open(sid string, o *opening) *Session {
	s := &Session{shard: sh, sid: sid, first: o.offer.first, dialect: o.dialect}
	s.limit(o)
	s.setTransport(o.transport)
	s.tuned.Store(o.tuned)
	s.timer.Init((*timeUp)(s))
	sh.sessions[s.sid] = s
	(*newcomer)(s).count(true)
	sh.count.Add(1)
	sh.stats.opened[o.transport].Add(1)
	sh.draining.admit(s)
	s.schedulePing()
	return s
}

// find returns the session with that id, or nil if there is none or it has ended.
func (sh *Shard) find(sid string) *Session {
	s := sh.sessions[sid]
	if s != nil && s.overdue() {
		s.abort(ReasonPingTimeout)
		return nil
	}
	return s
}

// forget removes an ended session from the map and releases its id.
func (sh *Shard) forget(s *Session) {
	if _, ok := sh.sessions[s.sid]; ok {
		delete(sh.sessions, s.sid)
		(*newcomer)(s).count(false)
		if s.Transport() == WebSocket {
			sh.traffic.WebSockets--
		}
		if sh.engine.sids != nil {
			sh.engine.sids.release(s.sid)
		}
		sh.engine.giveBack(s.limited.address())
		sh.count.Add(-1)
	}
}

// flushLater serves the session's waiting GET after everything posted so far.
func (sh *Shard) flushLater(s *Session) {
	if s.poll.flushing {
		return
	}
	s.poll.flushing = true
	sh.flushable = append(sh.flushable, s)
	if !sh.flushPosted {
		sh.flushPosted = true
		sh.loop.PostFunc(sh.flushFn)
	}
}

// flushPolls serves the sessions in flushable, including those added meanwhile, until the turn is over. Another task
// serves the others, also if one panics.
func (sh *Shard) flushPolls() {
	sh.flushPosted = false
	done := 0
	defer func() {
		if sh.flushable = slices.Delete(sh.flushable, 0, done); len(sh.flushable) > 0 && !sh.flushPosted {
			sh.flushPosted = true
			sh.loop.PostFunc(sh.flushFn)
		}
	}()
	for over := false; done < len(sh.flushable) && !over; over = sh.loop.Spend(answerWork) {
		s := sh.flushable[done]
		done++
		s.flushPoll()
	}
}

// answerWork is the estimated work of an answer with packets, in nanoseconds.
const answerWork = 2000

// flushPoll serves the waiting GET of a session that was in Shard.flushable.
func (s *Session) flushPoll() {
	if s.poll != nil {
		defer s.EndOnPanic()
		s.poll.flushing = false
		s.servePoll()
	}
}

// on runs fn on the home shard: at once if the caller is already there.
func (sh *Shard) on(home *Shard, fn func()) {
	if sh == home {
		fn()
		return
	}
	home.loop.PostFunc(fn)
}
