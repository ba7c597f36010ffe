package session

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/seed58c87869/siren/codec/eio"
)

// debugLog logs something about a session. Callers ask Engine.debug first. The id is a secret and not logged.
func (s *Session) debugLog(message string, attrs ...slog.Attr) {
	s.shard.engine.cfg.Logger.LogAttrs(context.Background(), slog.LevelDebug, message,
		append([]slog.Attr{slog.String("addr", s.Handshake().Address()), slog.String("transport", s.Transport().String())}, attrs...)...)
}

// debugRefused logs why a request was refused. Callers ask Engine.debug first. The query is left out, because it may
// hold the id of a session or a token.
func (x *Exchange) debugRefused(r *reply) {
	why := string(r.body)
	if f := r.fault; f != nil {
		if why = f.message; why == "" {
			why = f.code.Message()
		}
	}
	attrs := []slog.Attr{
		slog.String("addr", x.RemoteAddr().Addr().String()), slog.Int("status", r.status), slog.String("reason", why),
	}
	if f := r.fault; f != nil {
		attrs = append(attrs, slog.Int("code", int(f.code)))
		if f.cause != nil {
			attrs = append(attrs, slog.Any("cause", f.cause))
		}
	}
	x.conn.shard.engine.cfg.Logger.LogAttrs(context.Background(), slog.LevelDebug, "request refused", attrs...)
}

// slowLog bounds the lines about clients that did not read what was sent: one a second for each event loop. Loop-owned.
type slowLog struct {
	// until is the time of the loop's clock before which there is no line.
	until int64
	// left is the number of clients that got no line since the last one.
	left int
}

// warnSlow logs the end of a session whose client did not read. The ends for want of memory have a line of their own,
// which tells how many there were.
func (s *Session) warnSlow(reason Reason) {
	l := s.shard.engine.cfg.Logger
	if reason != ReasonQueueFull || l == nil {
		return
	}
	log, now := &s.shard.slow, s.shard.loop.Now()
	if now < log.until {
		log.left++
		return
	}
	l.Warn("client disconnected: it did not read, and its queue was full", "addr", s.Handshake().Address(),
		"transport", s.Transport().String(), "queued", s.queued(), "others", log.left)
	log.until, log.left = now+int64(time.Second), 0
}

// queued returns the number of bytes that wait for the client.
func (s *Session) queued() int {
	if s.ws != nil {
		return s.ws.out().QueuedBytes()
	}
	return s.poll.bytes
}

// debugSent logs a packet that is queued, and its attachments.
func (s *Session) debugSent(f *eio.Frame) {
	for ; f != nil; f = f.Next() {
		packet, size := eio.Message, len(f.Payload())
		if !f.Binary() {
			packet, size = eio.PacketType(f.Payload()[0]), size-1
		}
		s.debugLog("sent", slog.String("packet", packet.String()), slog.Int("bytes", size), slog.Bool("binary", f.Binary()))
	}
}

func (s *Session) debugReceived(p *eio.Packet) {
	s.debugLog("received", slog.String("packet", p.Type.String()), slog.Int("bytes", len(p.Data)), slog.Bool("binary", p.Binary))
}

// warnEvery is the least time between two warnings of one kind that clients cause.
const warnEvery = 10 * time.Second

// throttle limits the rate of warnings of one kind. The zero value is ready. Safe for concurrent use.
type throttle struct{ next atomic.Int64 }

// pass reports whether a warning is due. now is a loop's time.
func (t *throttle) pass(now int64) bool {
	next := t.next.Load()
	return now >= next && t.next.CompareAndSwap(next, now+int64(warnEvery))
}
