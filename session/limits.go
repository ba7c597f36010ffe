package session

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/codec/httpwire"
	"github.com/seed58c87869/siren/poller/wheel"
	"github.com/seed58c87869/siren/session/limit"
)

// Limits bounds what clients ask for. Zero numbers mean no limit, which costs nothing. Engine.SetLimits changes it
// later. A plain value.
//
// An address is the client's as Handshake.Addr has it, and the network (/64) of one of IPv6. Peers of unix sockets have
// no address, and no limit of it.
type Limits struct {
	// ConnectionsPerAddress bounds the sessions at once of one address; further handshakes get 429. Those that opened
	// while there was no limit do not count.
	ConnectionsPerAddress int
	// AcceptsPerSecond bounds the handshakes of a second, those of all clients together. Further ones get 503, with
	// Retry-After from 1 to 5 s at random.
	AcceptsPerSecond int
	// EventsPerSecond and BytesPerSecond bound the events of one session, and the bytes of its messages, of a second.
	// An event in excess is dropped and counted. An event is a message, unless Config.AppAdmits leaves it to the
	// application.
	EventsPerSecond, BytesPerSecond int
	// Excess is how long a client may exceed EventsPerSecond or BytesPerSecond, without one second in which it does
	// not. Then its session ends with ReasonRateLimited. Default 5 s: long enough for a burst, such as the events of a
	// client that was without a network, and short enough to stop a flood.
	Excess time.Duration
	// RefuseTime is how long the address of that session gets 429 for handshakes. Default 5 s: above the time after
	// which clients come back by themselves.
	RefuseTime time.Duration
}

// settle fills in the defaults and checks the result.
func (l *Limits) settle() error {
	for _, f := range []struct {
		value int
		name  string
	}{
		{l.ConnectionsPerAddress, "ConnectionsPerAddress"}, {l.AcceptsPerSecond, "AcceptsPerSecond"},
		{l.EventsPerSecond, "EventsPerSecond"}, {l.BytesPerSecond, "BytesPerSecond"},
	} {
		if f.value < 0 || f.value > limit.RateMax {
			return fmt.Errorf("session: Config.Limits.%s = %d: from 0 to %d is possible", f.name, f.value, limit.RateMax)
		}
	}
	for _, f := range []struct {
		value *time.Duration
		name  string
	}{{&l.Excess, "Excess"}, {&l.RefuseTime, "RefuseTime"}} {
		if *f.value == 0 {
			*f.value = 5 * time.Second
		}
		if *f.value < time.Millisecond {
			return fmt.Errorf("session: Config.Limits.%s = %v: at least 1ms is needed", f.name, *f.value)
		}
	}
	return nil
}

// rates returns the limits of one session; nil if there are none.
func (l *Limits) rates() *limit.Rates {
	if l.EventsPerSecond == 0 && l.BytesPerSecond == 0 {
		return nil
	}
	return &limit.Rates{Events: l.EventsPerSecond, Bytes: l.BytesPerSecond, Excess: l.Excess}
}

// limits are the Limits in force. Safe for concurrent use.
type limits struct {
	// set has the current values. rates has those of one session, nil without any, so that a message without limits
	// costs one look at it.
	set   atomic.Pointer[Limits]
	rates atomic.Pointer[limit.Rates]
	// sessions is Config.MaxSessions.
	sessions atomic.Int64
	accepts  limit.Shared
	table    *limit.Table
}

func (l *limits) begin(cfg *Config) {
	l.table = limit.NewTable()
	l.sessions.Store(int64(cfg.MaxSessions))
	l.store(cfg.Limits)
}

func (l *limits) store(set Limits) {
	l.set.Store(&set)
	l.rates.Store(set.rates())
}

// SetLimits replaces Config.Limits at once, for open sessions too. The error is that of Check, and changes nothing.
// Safe for concurrent use.
func (e *Engine) SetLimits(l Limits) error {
	if err := l.settle(); err != nil {
		return err
	}
	e.limits.store(l)
	return nil
}

// SetMaxSessions replaces Config.MaxSessions; open sessions stay. 0 is the default. The error is that of Check, and
// changes nothing. Safe for concurrent use.
func (e *Engine) SetMaxSessions(n int) error {
	c := e.cfg
	c.MaxSessions = n
	c, err := c.settle()
	if err == nil {
		e.limits.sessions.Store(int64(c.MaxSessions))
	}
	return err
}

// retryMax is the greatest Retry-After, in seconds. A refused client gets a random one, so that clients that were
// refused together do not come back together.
const retryMax = 5

// retryLater returns a refusal that tells the client when to try again.
func retryLater(status int, why string, seconds int) *reply {
	return &reply{
		status: status, contentType: typeText, name: "Retry-After", value: strconv.Itoa(seconds), body: []byte(why), last: true,
	}
}

const statusTooMany = 429

// admitHandshake checks a handshake against Limits. It returns the refusal, or nil and the address to give back
// (Table.Leave) when the session has ended, or was not opened; zero for none.
func (x *Exchange) admitHandshake(r *httpwire.Request) (from limit.Address, refusal *reply) {
	sh := x.conn.shard
	l := &sh.engine.limits
	set := l.set.Load()
	counts, barred := set.ConnectionsPerAddress > 0, l.table.AnyBarred()
	if counts || barred {
		a := limit.Of(x.clientAddr(r))
		if a != 0 && barred {
			if wait := l.table.Barred(a, sh.loop.Now()); wait > 0 {
				sh.stats.perAddress.Add(1)
				return 0, retryLater(statusTooMany, ReasonRateLimited.String(), int(1+(wait-1)/time.Second))
			}
		}
		if a != 0 && counts {
			if !l.table.Enter(a, set.ConnectionsPerAddress) {
				sh.stats.perAddress.Add(1)
				return 0, sh.overLimit(statusTooMany, "Too many connections from this address", "Limits.ConnectionsPerAddress",
					set.ConnectionsPerAddress)
			}
			from = a
		}
	}
	if set.AcceptsPerSecond > 0 && !l.accepts.Take(sh.loop.Now(), set.AcceptsPerSecond) {
		sh.engine.giveBack(from)
		sh.stats.accepts.Add(1)
		return 0, sh.overLimit(503, "Too many connections at once", "Limits.AcceptsPerSecond", set.AcceptsPerSecond)
	}
	return from, nil
}

// giveBack takes an address that admitHandshake has returned off the table.
func (e *Engine) giveBack(from limit.Address) {
	if from != 0 {
		e.limits.table.Leave(from)
	}
}

// overLimit returns a refusal of a handshake because of a limit. It is logged at a limited rate.
func (sh *Shard) overLimit(status int, why, setting string, limit int) *reply {
	e := sh.engine
	if e.cfg.Logger != nil && e.crowded.pass(sh.loop.Now()) {
		e.cfg.Logger.Warn("handshakes are refused: a limit is reached", "status", status, "setting", setting, "limit", limit)
	}
	return retryLater(status, why, 1+rand.IntN(retryMax))
}

// full refuses a handshake because too many clients are there. It is counted.
func (sh *Shard) full(why, setting string, limit int) reply {
	sh.stats.away.Add(1)
	return *sh.overLimit(503, why, setting, limit)
}

// clientAddr returns the address of the client that sent the request, as Handshake.Addr has it.
func (x *Exchange) clientAddr(r *httpwire.Request) netip.Addr {
	addr := x.RemoteAddr()
	if trusted := x.conn.shard.engine.cfg.TrustedProxies; trusts(trusted, addr.Addr()) {
		addr, _ = forwardedFor(r, addr, trusted)
	}
	return addr.Addr()
}

// limited is the state of a session with Limits. Loop-owned.
type limited struct {
	flow limit.Flow
	// from is the address for which Limits.ConnectionsPerAddress counts the session; 0 for none.
	from limit.Address
}

// limit gives a new session what its handshake was admitted with.
func (s *Session) limit(o *opening) {
	if o.from != 0 || s.shard.engine.limits.rates.Load() != nil {
		s.limited = &limited{from: o.from}
		o.from = 0 // the session gives it back
	}
}

// address returns the address that the session is counted for; 0 for none. l may be nil.
func (l *limited) address() limit.Address {
	if l == nil {
		return 0
	}
	return l.from
}

// receiveLimited handles a packet within Limits. It ends the session of a client that has exceeded them for too long.
func (s *Session) receiveLimited(p *eio.Packet, r *limit.Rates) {
	if s.limited == nil { // the session is older than the limits
		s.limited = new(limited)
	}
	e, now, l := s.shard.engine, s.shard.loop.Now(), s.limited
	l.flow.Receive(now, len(p.Data), r)
	isEvent := p.Type == eio.Message
	if isEvent && e.cfg.AppAdmits || s.Admit(isEvent) {
		s.handle(p)
	}
	if l.flow.Exceeded(now, r) && s.hears() {
		if a := limit.Of(s.Handshake().Addr.Addr()); a != 0 {
			e.limits.table.Bar(a, now, wheel.Deadline(now, e.limits.set.Load().RefuseTime))
		}
		s.Close(ReasonRateLimited)
	}
}

// Limited reports whether the session's events and bytes are counted; if not, Admit admits everything. Loop-only.
func (s *Session) Limited() bool { return s.limited != nil }

// Admit is for applications with Config.AppAdmits, in the call of Client.Message that brings a whole packet. event
// reports whether the packet is one of those that Limits.EventsPerSecond counts. If Admit returns false, the event
// exceeds the limits, or one of the messages since the last call did. The application drops it then; it is counted.
// Admit costs nothing without limits. Loop-owned.
func (s *Session) Admit(event bool) bool {
	r := s.shard.engine.limits.rates.Load()
	if r == nil || s.limited == nil {
		return true
	}
	switch s.limited.flow.Admit(s.shard.loop.Now(), event, r) {
	case limit.Events:
		s.shard.stats.eventsOver.Add(1)
		return false
	case limit.Bytes:
		s.shard.stats.bytesOver.Add(1)
		return false
	}
	return true
}
