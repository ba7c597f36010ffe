package session

import (
	"bytes"
	"errors"
	"sync/atomic"

	"github.com/gobwas/ws"

	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/codec/wsframe"
	"github.com/seed58c87869/siren/poller/memory"
)

// wsConn is one WebSocket of a session. Its connection may belong to another loop than the session: input is then
// posted to the home loop in batches, and output uses a borrowed handle. Each field is owned by the loop that its
// comment names.
type wsConn struct {
	// session is owned by the home loop. It is set from the beginning if the connection belongs to that loop, unless
	// foreign is set.
	session *Session
	// conn is the connection, for use on its own loop.
	conn StreamConn
	// foreign is the further state of a connection of another loop, or of one without a session; else nil. Immutable.
	foreign *foreign
	// reader, deaf and held are owned by the connection's loop. deaf means that no more input is read; held has the
	// reasons for which the input is held.
	reader wsframe.Reader
	deaf   bool
	held   uint8
	// gone is owned by the home loop. It means that the connection is closed, or will be.
	gone bool
	// windowBits is the logarithm of the client's window size if compression was negotiated, else 0. Immutable.
	windowBits uint8
	// fragments is the size of an incomplete message in the loop's ledger. Owned by the connection's loop.
	fragments uint32
}

// foreign is the additional state of a WebSocket whose connection belongs to another loop than its session.
type foreign struct {
	// shard is the connection's, home the session's. Immutable.
	shard, home *Shard
	// out is the connection, for use on the home loop. Immutable.
	out Conn
	// batch has the messages of the read in progress. Owned by the connection's loop; nil except in Receive.
	batch *inbound
	// pending is the number of bytes that were posted home and are not handled yet. waits means that the connection's
	// input is held until they are fewer. Safe for concurrent use.
	pending atomic.Int64
	waits   atomic.Bool
}

// shard returns the connection's shard. Immutable.
func (w *wsConn) shard() *Shard {
	if w.foreign != nil {
		return w.foreign.shard
	}
	return w.session.shard
}

// home returns the session's shard. Immutable.
func (w *wsConn) home() *Shard {
	if w.foreign != nil {
		return w.foreign.home
	}
	return w.session.shard
}

// out returns the connection, for the home loop.
func (w *wsConn) out() Conn {
	if w.foreign != nil {
		return w.foreign.out
	}
	return w.conn
}

// wsCloseNormal closes a WebSocket that is no longer needed: as in the reference, without a status code (1005 at the
// other end).
var wsCloseNormal = wsframe.AppendClose(nil, 0, "")

// newWSConn answers an opening handshake and turns its connection into a WebSocket of a session at home. s is that
// session if its home is the connection's own loop; otherwise s is nil, because the other loop owns it. first, if not
// nil, is sent as a text message in the same frame as the answer.
func newWSConn(x *Exchange, home *Shard, s *Session, o *wsOffer, first []byte) *wsConn {
	h, fields := x.conn, x.fields
	x.end()
	x.home = nil
	h.stop(phaseHanded)
	e := h.shard.engine
	w := &wsConn{session: s, conn: h.conn}
	switch {
	case home != h.shard:
		w.foreign = &foreign{shard: h.shard, home: home, out: e.borrow(h.conn, home.loop.Index())}
	case s == nil:
		w.foreign = &foreign{shard: h.shard, home: home, out: h.conn}
	}
	fields = e.addProtocol(fields, o)
	if o.deflate.ServerWindowBits > 0 {
		fields = append(fields[:len(fields):len(fields)], "Sec-WebSocket-Extensions", o.deflate.String())
		w.beginDeflate(o.deflate)
	}
	var room [responseHeadRoom + openRoom]byte
	out := wsframe.AppendUpgradeResponse(room[:0], o.key, fields...)
	if first != nil {
		out = wsframe.AppendFrame(out, ws.OpText, first)
	}
	if !h.conn.Queue(bytes.Clone(out)) {
		h.conn.Close() // no frame may be sent without the answer
	}
	h.conn.SetReceiver(w)
	return w
}

// The estimated work of one item, in nanoseconds, besides its bytes.
const (
	messageWork = 1000
	requestWork = 5000
	// chargeMin is the work that is summed up before Spend is called. A single small message, which costs less than its
	// system call, is not charged.
	chargeMin = 4000
)

// bytesWork estimates the work for the bytes of a frame. Those of compressed messages are counted where they are
// inflated.
func bytesWork(msg *wsframe.Message, n int) int {
	if msg.Compressed {
		return 0
	}
	return n / 2
}

// Receive implements Receiver. If the turn's budget is used up, or a message takes longer to inflate, the rest of the
// input waits.
func (w *wsConn) Receive(data []byte) (n, need int) {
	shard := w.shard()
	msg, limits := &shard.msg, w.limits(shard.engine)
	over, work := false, 0
	for n < len(data) && !w.deaf && !over && w.held == 0 {
		used, err := w.reader.Next(data[n:], limits, msg)
		if err != nil {
			w.violation(err)
			break
		}
		if used == 0 {
			need = w.reader.Need()
			break
		}
		n += used
		w.handle(msg)
		if work += messageWork + bytesWork(msg, used); work >= chargeMin || msg.Compressed {
			over, work = shard.loop.Spend(work), 0
		}
	}
	w.reader.Release()
	w.countFragments()
	w.postBatch()
	switch {
	case w.deaf:
		return len(data), 0
	case over && w.held == 0 && n < len(data):
		w.conn.Hold()
		w.conn.Resume()
	}
	return n, need
}

// The reasons for which the input of a WebSocket is held.
const (
	holdInflating uint8 = 1 << iota // a message is inflated in steps
	holdInbound                     // too much input waits for the session's loop
)

// hold stops the input for a reason; unhold resumes it unless there is another one.
func (w *wsConn) hold(reason uint8) {
	w.held |= reason
	w.conn.Hold()
}

func (w *wsConn) unhold(reason uint8) {
	if w.held &^= reason; w.held == 0 {
		w.conn.Resume()
	}
}

func (w *wsConn) handle(msg *wsframe.Message) {
	switch msg.Kind {
	case wsframe.Text, wsframe.Binary:
		if msg.Compressed {
			w.takeCompressed(msg)
			return
		}
		w.take(msg.Data, msg.Kind == wsframe.Binary)
	case wsframe.Ping:
		// The queue's limit bounds the pongs for a peer that pings without reading.
		pong := wsframe.AppendFrame(nil, ws.OpPong, msg.Data)
		if w.conn.QueuedBytes()+len(pong) > w.shard().engine.cfg.QueueBytes || !w.conn.Queue(pong) {
			w.deaf = true
			w.conn.Close()
		}
	case wsframe.Close:
		code := msg.Code
		if code == ws.StatusNoStatusRcvd {
			code = 0
		}
		w.end(code, ReasonTransportClose)
	}
}

// take handles a message here, or passes it to the session's loop.
func (w *wsConn) take(data []byte, binary bool) {
	if w.foreign == nil {
		w.deliver(data, binary)
		return
	}
	w.collect(data, binary)
}

// violation closes the connection of a client that violated the framing protocol, with the error's close code.
func (w *wsConn) violation(err error) {
	code := ws.StatusProtocolError
	var e *wsframe.Error
	if errors.As(err, &e) {
		code = e.Code
	}
	w.end(code, ReasonTransportError)
}

// end closes the connection from its own loop, after the input that was received and the answers to it. The session's
// loop sends these, and so it also closes.
func (w *wsConn) end(code ws.StatusCode, reason Reason) {
	w.postBatch()
	w.deaf = true
	w.atHome(func() {
		w.out().Last(wsframe.AppendClose(nil, code, ""))
		w.lost(reason)
	})
}

// Closed implements Receiver.
func (w *wsConn) Closed(err error) {
	w.deaf = true
	w.endDeflate()
	w.reader.Reset()
	w.countFragments()
	if errors.Is(err, memory.ErrOverBudget) {
		w.lostLater(ReasonMemory)
		return
	}
	w.lostLater(ReasonTransportClose)
}

func (w *wsConn) lostLater(reason Reason) {
	w.atHome(func() { w.lost(reason) })
}

// lost handles the end of the connection, on the home loop. The first reason counts.
func (w *wsConn) lost(reason Reason) {
	if w.gone {
		return
	}
	w.gone = true
	s := w.session
	switch {
	case s == nil:
	case s.ws == w:
		s.abort(reason)
	case s.upgrade() != nil && s.upgrade().ws == w:
		s.failUpgrade()
	}
}

// deliver handles one message on the home loop.
func (w *wsConn) deliver(data []byte, binary bool) {
	s := w.session
	if s == nil || w.gone {
		return
	}
	if len(data) > s.tuning().MaxPayload { // the connection's loop checks only the engine's limit
		w.out().Last(wsframe.AppendClose(nil, ws.StatusMessageTooBig, ""))
		w.lost(ReasonTransportError)
		return
	}
	p := eio.Packet{Type: eio.Message, Binary: true, Data: data}
	if !binary || s.dialect != 0 {
		var err error
		if p, err = s.dialect.parse(data, binary); err != nil {
			if s.ws == w {
				s.abort(ReasonParseError)
			} else if s.upgrade() != nil && s.upgrade().ws == w {
				s.failUpgrade()
			}
			return
		}
	}
	if s.ws == w {
		s.receive(p)
	} else if s.upgrade() != nil && s.upgrade().ws == w {
		s.receiveProbe(p)
	}
}

// close closes the connection from the home loop, with a last frame after what is queued.
func (w *wsConn) close(frame []byte) {
	if w.gone {
		return
	}
	w.gone = true
	if s := w.session; s != nil && s.expendable() {
		w.out().Expendable()
	}
	w.out().Last(frame)
}
