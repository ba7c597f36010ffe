package session

// inbound holds the messages that one read of a WebSocket brought for a session of another loop. It is made on the
// connection's loop and then belongs to the session's loop.
type inbound struct {
	ws *wsConn
	// data has the messages, one after the other.
	data     []byte
	messages []extent
}

// extent is one message of an inbound.
type extent struct {
	end    int
	binary bool
}

const (
	// inboundMessageBytes is the size that a message counts for besides its bytes, because empty messages cost work,
	// too.
	inboundMessageBytes = 64
	// inboundBatch is the number of messages, and inboundBatchBytes of bytes, posted at once: each post is one piece of
	// work for the session's loop.
	inboundBatch      = 64
	inboundBatchBytes = 64 << 10
)

// collect copies a message into the batch for the session's loop.
func (w *wsConn) collect(data []byte, binary bool) {
	f := w.foreign
	if f.batch == nil {
		f.batch = &inbound{ws: w}
	}
	b := f.batch
	b.data = append(b.data, data...)
	b.messages = append(b.messages, extent{len(b.data), binary})
	if len(b.messages) >= inboundBatch || len(b.data) >= inboundBatchBytes {
		w.postBatch()
	}
}

func (b *inbound) size() int64 { return int64(len(b.data) + len(b.messages)*inboundMessageBytes) }

// postBatch posts the batch to the session's loop. If more than InboundBytes wait there, the connection's input is held
// until half of it is handled.
func (w *wsConn) postBatch() {
	f := w.foreign
	if f == nil || f.batch == nil {
		return
	}
	b := f.batch
	f.batch = nil
	limit := int64(f.shard.engine.cfg.InboundBytes)
	f.shard.memory.Add(int(b.size()))
	if f.pending.Add(b.size()) > limit {
		w.hold(holdInbound)
		f.waits.Store(true)
	}
	f.home.loop.PostFunc(b.run)
}

// run delivers the messages on the session's loop.
func (b *inbound) run() {
	w := b.ws
	f := w.foreign
	f.shard.memory.Add(-int(b.size()))
	if f.pending.Add(-b.size()) <= int64(f.shard.engine.cfg.InboundBytes)/2 && f.waits.CompareAndSwap(true, false) {
		f.shard.loop.PostFunc(func() { w.unhold(holdInbound) })
	}
	defer w.session.EndOnPanic()
	start := 0
	for _, m := range b.messages {
		w.deliver(b.data[start:m.end:m.end], m.binary)
		start = m.end
	}
}
