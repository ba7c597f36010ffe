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
