package host

import (
	"errors"

	"github.com/seed58c87869/siren/codec/httpwire"
	"github.com/seed58c87869/siren/poller"
	"github.com/seed58c87869/siren/poller/memory"
	"github.com/seed58c87869/siren/poller/stream"
	"github.com/seed58c87869/siren/session"
	"github.com/seed58c87869/siren/session/mount"
)

// The errors of Listen and Attach, besides those of package poller.
var (
	// ErrBegun means that the Host already listens or is attached.
	ErrBegun = errors.New("it listens already, or is attached")
	// ErrClosed means that Close was called.
	ErrClosed = errors.New("siren: closed")
	// errNested means that Fallback is the Handler of another server. Fallback's answers are buffered, so the clients
	// of that server could not leave polling.
	errNested = errors.New("Config.Fallback is the Handler of another server, which would get no WebSockets on this " +
		"listener. Serve both by one net/http server: mux.Handle(\"/socket.io/\", srv.Handler()) and the same for the other's path")
)

// begin returns an error if the Host cannot start. Called with life held.
func (h *Host) begin() error {
	switch h.state.Load() {
	case fresh:
		return nil
	case open:
		return ErrBegun
	}
	return ErrClosed
}

// Listen opens the addresses and serves until Close. After an error it may be called again.
func (h *Host) Listen(addrs []string) error {
	h.life.Lock()
	defer h.life.Unlock()
	if err := h.begin(); err != nil {
		return err
	}
	if _, nested := h.cfg.Fallback.(*mount.Handler); nested && len(addrs) > 0 {
		return errNested
	}
	if err := h.start(addrs); err != nil {
		h.loops, h.engine, h.poller = nil, nil, nil
		return err
	}
	h.opened()
	go h.watch(h.poller)
	return nil
}

func (h *Host) start(addrs []string) error {
	p, err := poller.New(h.pollerConfig(addrs))
	if err != nil {
		return err
	}
	loops := make([]Loop, 0, h.cfg.Loops)
	for _, l := range p.Loops() {
		loops = append(loops, l)
	}
	borrow := func(c session.StreamConn, home int) session.Conn {
		return c.(*poller.Conn).Borrow(p.Loops()[home])
	}
	if err := h.attach(loops, borrow); err != nil {
		return err
	}
	h.poller = p
	if err := h.limitConns(); err != nil {
		return err
	}
	return p.Start()
}

// Attach is Listen on Config.Loops loops that others drive. It returns what takes a new connection.
func (h *Host) Attach(loops []Loop, borrow session.Borrow) (accept func(c session.StreamConn, loop int) session.Receiver, err error) {
	h.life.Lock()
	defer h.life.Unlock()
	if err := h.begin(); err != nil {
		return nil, err
	}
	if err := h.attach(loops, borrow); err != nil {
		return nil, err
	}
	h.opened()
	return h.engine.Accept, nil
}

// attach makes the engine, on the loops. Called with life held.
func (h *Host) attach(loops []Loop, borrow session.Borrow) error {
	shards, mounted := make([]session.Loop, 0, len(loops)), make([]mount.Loop, 0, len(loops))
	for _, l := range loops {
		if l == nil {
			return errors.New("a loop is nil")
		}
		shards, mounted = append(shards, l), append(mounted, l)
	}
	engine, err := session.New(h.cfg.Session, (*app)(h), shards, mount.Lend(mounted, borrow))
	if err != nil {
		return err
	}
	if h.cfg.MemoryBudget > 0 {
		h.budget = memory.NewBudget(h.cfg.MemoryBudget, h.overBudget)
		for _, l := range loops {
			h.budget.Join(l.Memory(), l.PostFunc)
		}
	}
	if h.cfg.Attached != nil {
		h.cfg.Attached(loops)
	}
	h.loops, h.mounted, h.engine = append([]Loop(nil), loops...), mounted, engine
	return nil
}

// opened begins to serve. Called with life held.
func (h *Host) opened() {
	h.mount.Serve(h.engine, h.mounted)
	h.state.Store(open)
}

func (h *Host) pollerConfig(addrs []string) poller.Config {
	return poller.Config{
		Addrs: addrs, Backlog: h.cfg.Backlog, UnixMode: h.cfg.UnixMode, SharePort: h.cfg.SharePort, Loops: h.cfg.Loops, WriteTimeout: h.cfg.WriteTimeout,
		GatherTime:    h.cfg.GatherTime,
		QueueBytesMax: queueBytes(&h.cfg), RestBytesMax: restBytes(&h.cfg.Session),
		TimerResolution: min(h.cfg.Session.Resolution(), h.cfg.Resolution), Logger: h.cfg.Log, Reject: tooMany,
		PrivateFiles: h.cfg.PrivateFiles, Accept: h.accept, MaxConns: h.pollerConns(),
	}
}

// restBytes returns the greatest unfinished request of an honest connection: a chunked body with its framing, the head,
// and pipelined input.
func restBytes(c *session.Config) int {
	return 2*max(c.MaxPayload, c.MaxRequestBody) + 4*max(c.MaxHeaderBytes, 16<<10) + 128<<10
}

// queueBytes returns the greatest queue of a connection: an answer or a session's queue, with their framing. The
// session's own limits are reached before.
func queueBytes(c *Config) int {
	return max(c.MaxResponse, c.Session.MaxPayload, c.Session.QueueBytes) + session.DefaultQueueFrames*stream.FrameOverhead + 64<<10
}

// tooMany is the answer to a connection above MaxConns. It is made in advance and so has no Date, which a server may
// leave out of an error (RFC 9110, section 6.6.1).
var tooMany = httpwire.AppendResponse(nil, &httpwire.Response{
	Status: 503, ContentType: "text/plain; charset=UTF-8", Body: []byte("Too many connections"),
	Header: []string{"Retry-After", "5"}, Close: true,
})
