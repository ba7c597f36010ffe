package session

import (
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/codec/httpwire"
	"github.com/seed58c87869/siren/codec/wsframe"
)

// Engine is an Engine.IO server over a set of event loops. It is safe for concurrent use: its fields are immutable, and
// mutable state lives in its shards.
type Engine struct {
	cfg     Config
	app     App
	shards  []*Shard
	borrow  Borrow
	cors    atomic.Pointer[corsTable]
	http    httpwire.Limits
	ws      wsframe.Limits
	polling bool
	socket  bool
	upgrade []string
	// tuning has the settings of sessions without their own. debug reports whether debug records are enabled.
	tuning tuning
	debug  atomic.Bool
	// hasHooks reports whether hooks take part in handshakes.
	hasHooks bool
	// serves reports whether the application answers requests for other paths.
	serves bool
	// sids has the ids of a generator; nil without one, because generated ids name their shard.
	sids *sidTable
	// refusals runs Config.OnConnectionError; unreported counts the calls that were skipped because it was too slow.
	refusals   Inbox
	unreported atomic.Uint64
	// unproxied limits the warnings about connections without a PROXY header, crowded those about limits reached.
	unproxied, crowded throttle
	// spares is the number of connections accepted by AcceptSpare.
	spares atomic.Int64
	// elsewhere is nil unless another process may have sessions that this one does not know.
	elsewhere atomic.Pointer[Elsewhere]
	// draining is set when the engine drains.
	draining atomic.Bool
	// refusing is set while handshakes are refused, closing when StopIntake or Close was called, ended when Close was.
	refusing, closing, ended atomic.Bool
	// limits has Config.Limits and MaxSessions.
	limits limits
	// hooksRunning is the number of handshakes whose hooks run.
	hooksRunning atomic.Int64
	// after calls fn on another goroutine after d. Tests replace it.
	after func(d time.Duration, fn func())
	// compression is the compression of messages and responses.
	compression compression
	// hookPanics counts the panics of hooks.
	hookPanics atomic.Uint64
}

// New makes an Engine with one shard for each loop. borrow may be nil if there is only one loop.
func New(cfg Config, app App, loops []Loop, borrow Borrow) (*Engine, error) {
	cfg, err := cfg.settle()
	if err != nil {
		return nil, err
	}
	if app == nil || len(loops) == 0 {
		return nil, errors.New("session: an App and at least one Loop are needed")
	}
	if borrow == nil && len(loops) > 1 {
		return nil, errors.New("session: several loops need a Borrow function")
	}
	e := &Engine{
		cfg: cfg, app: app, serves: app.Serves(), borrow: borrow, after: func(d time.Duration, fn func()) { time.AfterFunc(d, fn) },
		http: httpwire.Limits{
			LineBytes: cfg.MaxHeaderBytes, HeaderBytes: cfg.MaxHeaderBytes,
			BodyBytes: max(cfg.MaxPayload, cfg.MaxRequestBody),
		},
		ws:      wsframe.Limits{MessageBytes: cfg.MaxPayload, Fragments: cfg.MaxFragments},
		polling: slices.Contains(cfg.Transports, Polling),
		socket:  slices.Contains(cfg.Transports, WebSocket),
	}
	e.cors.Store(cfg.CORS.table())
	e.compression.begin(&cfg)
	e.limits.begin(&cfg)
	if e.socket && !cfg.NoUpgrades {
		e.upgrade = []string{"websocket"}
	}
	e.setHooks()
	for i, l := range loops {
		if l.Index() != i {
			return nil, errors.New("session: loops must be given in the order of their indexes")
		}
		e.shards = append(e.shards, newShard(e, l, len(loops)))
	}
	if cfg.Forwarder != nil {
		if err := cfg.Forwarder.Begin(e, loops); err != nil {
			return nil, err
		}
	}
	return e, nil
}

// setHooks inspects the configuration once, so that unused hooks cost nothing.
func (e *Engine) setHooks() {
	cfg := &e.cfg
	interval, _ := announce(cfg.PingInterval, cfg.PingTimeout)
	e.tuning = tuning{
		Tuning: Tuning{
			PingInterval: interval, PingTimeout: cfg.PingTimeout, MaxPayload: cfg.MaxPayload,
			QueueBytes: cfg.QueueBytes, VolatileBytes: cfg.VolatileBytes, OnFull: cfg.OnFull,
		},
		ws: e.ws, packed: e.ws, announced: interval, heartbeat: HeartbeatMax(interval, cfg.PingTimeout),
	}
	e.tuning.packed.AllowRSV1 = true
	e.hasHooks = cfg.Allow != nil || cfg.Tune != nil || cfg.GenerateID != nil || cfg.OnInitialHeaders != nil || cfg.OnHeaders != nil
	e.LevelChanged()
	if cfg.GenerateID != nil {
		e.sids = newSIDTable()
	}
}

// Config returns the configuration, including its defaults. Safe for concurrent use.
func (e *Engine) Config() Config { return e.cfg }

// Shard returns the shard of the loop with that index. Safe for concurrent use.
func (e *Engine) Shard(i int) *Shard { return e.shards[i] }

// Owns reports whether the engine handles requests for the path: Config.Path with or without a trailing slash.
func (e *Engine) Owns(path string) bool { return e.ownPath([]byte(path)) }

// HomeOf returns the index of the loop that the session id names. ok is false if sid does not have the form of an id.
func (e *Engine) HomeOf(sid string) (loop int, ok bool) {
	sh := e.homeOf([]byte(sid))
	if sh == nil {
		return 0, false
	}
	return sh.index, true
}

// Accept takes a new connection, on its loop, and returns its Receiver.
func (e *Engine) Accept(c StreamConn, loop int) Receiver {
	if e.cfg.ProxyProtocol {
		return newProxied(e, e.shards[loop], c, nil)
	}
	return newHTTPConn(e.shards[loop], c, nil)
}

// AcceptFrom is Accept for a connection that came through another server, which knows the peer. No PROXY header is
// expected on it.
func (e *Engine) AcceptFrom(c StreamConn, loop int, p Peer) Receiver {
	return newHTTPConn(e.shards[loop], c, &p)
}

// Sessions returns the number of open sessions. Safe for concurrent use.
func (e *Engine) Sessions() int {
	n := 0
	for _, sh := range e.shards {
		n += int(sh.count.Load())
	}
	return n
}

// Stats holds the counters of an Engine, summed over its shards.
type Stats struct {
	// Open is the number of open sessions, Opened the number opened since the start.
	Open, Opened uint64
	// Closed counts the ends of sessions by reason.
	Closed ReasonCounts
	// OpenedOn has Opened by the transport of the first request. HandshakesRefused counts refused requests for a new
	// session by transport; TransportNone is for those that named none of the server's.
	OpenedOn          [TransportNone]uint64
	HandshakesRefused [TransportNone + 1]uint64
	// Upgraded and UpgradeFailed count finished and failed upgrades. UpgradesRefused counts requests for a WebSocket
	// that no session accepted.
	Upgraded, UpgradeFailed, UpgradesRefused uint64
	// SlowClosed counts sessions ended, and DroppedFull frames dropped, because a queue was full.
	SlowClosed, DroppedFull uint64
	// DroppedExpendable counts frames that were dropped for clients with the policy Expendable.
	DroppedExpendable uint64
	// DroppedVolatile counts volatile frames dropped because the client was not ready.
	DroppedVolatile uint64
	// Refused counts refused handshakes and requests by error code.
	Refused [6]uint64
	// OverLimit counts connections accepted by AcceptSpare, Busy those of them that got 503.
	OverLimit, Busy uint64
	// TurnedAway counts handshakes refused because of MaxSessions or MaxHandshakes, Draining those refused because the
	// engine drains or closes, OverAddress those refused because of Limits.ConnectionsPerAddress or RefuseTime, and
	// OverAccepts those refused because of Limits.AcceptsPerSecond.
	TurnedAway, Draining, OverAddress, OverAccepts uint64
	// OverEvents and OverBytes count events dropped because of Limits.EventsPerSecond and BytesPerSecond. An event that
	// exceeds both counts in OverBytes.
	OverEvents, OverBytes uint64
	// Unfetched counts polling sessions that ended before their clients had fetched their last packets,
	// UnfetchedPackets these packets.
	Unfetched, UnfetchedPackets uint64
	// HookPanics counts panics of Config's hooks; a panic in a handshake refuses it.
	HookPanics uint64
	// NoProxyHeader counts connections closed because ProxyProtocol is set and their PROXY header was missing, invalid
	// or late; Untrusted those closed because it is set and their peer is not one of TrustedProxies.
	NoProxyHeader, Untrusted uint64
	// BadSIDs counts handshakes refused because the id of Config.GenerateID was invalid or in use.
	BadSIDs uint64
	// Unreported counts refusals for which Config.OnConnectionError was not called, because too many waited.
	Unreported uint64
}

// Stats returns the sums of the counters. Safe for concurrent use.
func (e *Engine) Stats() Stats {
	s := Stats{HookPanics: e.hookPanics.Load(), Unreported: e.unreported.Load()}
	for _, sh := range e.shards {
		sh.stats.addTo(&s)
		s.Open += uint64(sh.count.Load())
	}
	return s
}

type counters struct {
	upgraded, upgradeFailed, upgradeRefused, slow, full, volatile, away, badSIDs atomic.Uint64
	expendable                                                                   atomic.Uint64
	noProxy, untrusted, overLimit, draining, unfetched, unfetchedPackets         atomic.Uint64
	perAddress, accepts, eventsOver, bytesOver, busy                             atomic.Uint64
	opened                                                                       [TransportNone]atomic.Uint64
	handshakesRefused                                                            [TransportNone + 1]atomic.Uint64
	closed                                                                       [ReasonCount]atomic.Uint64
	refused                                                                      [6]atomic.Uint64
}

func (c *counters) addTo(s *Stats) {
	for i := range c.opened {
		s.OpenedOn[i] += c.opened[i].Load()
		s.Opened += c.opened[i].Load()
	}
	for i := range c.handshakesRefused {
		s.HandshakesRefused[i] += c.handshakesRefused[i].Load()
	}
	s.UpgradesRefused += c.upgradeRefused.Load()
	s.Upgraded += c.upgraded.Load()
	s.UpgradeFailed += c.upgradeFailed.Load()
	s.SlowClosed += c.slow.Load()
	s.DroppedFull += c.full.Load()
	s.DroppedExpendable += c.expendable.Load()
	s.DroppedVolatile += c.volatile.Load()
	s.TurnedAway += c.away.Load()
	s.Draining += c.draining.Load()
	s.Unfetched += c.unfetched.Load()
	s.UnfetchedPackets += c.unfetchedPackets.Load()
	s.OverAddress += c.perAddress.Load()
	s.OverAccepts += c.accepts.Load()
	s.OverEvents += c.eventsOver.Load()
	s.OverBytes += c.bytesOver.Load()
	s.BadSIDs += c.badSIDs.Load()
	s.OverLimit += c.overLimit.Load()
	s.Busy += c.busy.Load()
	s.NoProxyHeader += c.noProxy.Load()
	s.Untrusted += c.untrusted.Load()
	for i := range c.closed {
		s.Closed[i] += c.closed[i].Load()
	}
	for i := range c.refused {
		s.Refused[i] += c.refused[i].Load()
	}
}

func (c *counters) refuse(code eio.ErrorCode) {
	if int(code) >= 0 && int(code) < len(c.refused) {
		c.refused[code].Add(1)
	}
}

// refuseWhat counts a refused request for a session, or for an upgrade.
func (c *counters) refuseWhat(t traits) {
	switch {
	case t.is(asksUpgrade):
		c.upgradeRefused.Add(1)
	case t&asks == asks:
		c.handshakesRefused[TransportNone].Add(1)
	case t.is(asksSocket):
		c.handshakesRefused[WebSocket].Add(1)
	default:
		c.handshakesRefused[Polling].Add(1)
	}
}
