package session

import (
	"github.com/gobwas/ws"

	"github.com/seed58c87869/siren/codec/wsframe"
)

// inbound is what one read of a WebSocket has brought for a session of another loop. It is made on the connection's
// loop and then belongs to the session's.
type inbound struct {
	ws *wsConn
	// data are the messages one behind the other; those of text and of binary ones alike.
	data     []byte
	messages []extent
}

// extent is one message of an inbound.
type extent struct {
	end    int
	binary bool
}

// inboundMessageBytes is what a message counts for besides its bytes: empty ones are work too.
const inboundMessageBytes = 64

// collect copies a message for the session's loop.
func (w *wsConn) collect(data []byte, binary bool) {
	f := w.foreign
	if f.batch == nil {
		f.batch = &inbound{ws: w}
	}
	b := f.batch
	b.data = append(b.data, data...)
	b.messages = append(b.messages, extent{len(b.data), binary})
}

func (b *inbound) size() int64 { return int64(len(b.data) + len(b.messages)*inboundMessageBytes) }

// postBatch sends the messages of one read to the session's loop. A peer that is too far ahead of that loop is closed.
func (w *wsConn) postBatch() {
	f := w.foreign
	if f == nil || f.batch == nil {
		return
	}
	b := f.batch
	f.batch = nil
	pending := f.pending.Add(b.size())
	f.shard.memory.Add(int(b.size()))
	if pending > b.size() && pending > int64(f.shard.engine.cfg.InboundBytes) {
		f.shard.memory.Add(-int(b.size()))
		f.shard.stats.flooded.Add(1)
		w.deaf = true
		w.conn.Last(wsframe.AppendClose(nil, ws.StatusPolicyViolation, ""))
		w.lostLater(ReasonTransportError)
		return
	}
	f.home.loop.PostFunc(b.run)
}

// run delivers the messages on the session's loop.
func (b *inbound) run() {
	w := b.ws
	w.foreign.pending.Add(-b.size())
	w.foreign.shard.memory.Add(-int(b.size()))
	defer w.session.endOnPanic()
	start := 0
	for _, m := range b.messages {
		w.deliver(b.data[start:m.end:m.end], m.binary)
		start = m.end
	}
}
