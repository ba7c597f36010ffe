package session

import (
	"bytes"
	"strconv"
	"time"

	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/codec/httpwire"
)

// dialect describes how a session's client differs from plain protocol 4, which is zero. An immutable value; an upgrade
// may replace it.
type dialect uint8

const (
	// revision3 is Engine.IO protocol 3.
	revision3 dialect = 1 << iota
	// base64Only means that the current transport accepts no binary data. It is set in protocol 3 only; in protocol 4
	// polling never accepts binary data.
	base64Only
	// oldBrowser means an Internet Explorer, which blocks bodies that look like scripts unless a header forbids it. It
	// is set only for protocol 3 and JSONP, which such browsers use.
	oldBrowser
)

// jsonp is the number of a JSONP client's callback plus one; zero means no JSONP. Immutable.
type jsonp uint32

// jsonpDigits bounds the digits of the callback's number. Clients count their transports.
const jsonpDigits = 9

// Content types that plain protocol 4 does not use.
const (
	typeBinary = "application/octet-stream"
	typeScript = "text/javascript; charset=UTF-8"
)

// is reports whether all of bits are set.
func (d dialect) is(bits dialect) bool { return d&bits == bits }

// Protocol returns the session's Engine.IO protocol revision: 4, or 3 with Config.AllowEIO3. Safe for concurrent use.
func (s *Session) Protocol() int {
	if s.kind.Load()&kind3 != 0 {
		return eio.Protocol3
	}
	return eio.Protocol
}

// negotiate determines the dialect of the client of a handshake.
func (o *opening) negotiate(r *httpwire.Request, allowEIO3 bool) {
	// As in the reference, anything but protocol 4 is protocol 3: old clients in other languages name no version.
	version, _ := httpwire.QueryGet(r.RawQuery, "EIO")
	switch {
	case string(version) == "4":
		o.supported = true
	case allowEIO3:
		o.supported = true
		o.dialect = revision3
		if wantsBase64(r) {
			o.dialect |= base64Only
		}
	}
	if o.transport == Polling {
		o.jsonp = jsonpOf(r)
	}
	if o.jsonp != 0 && o.dialect.is(revision3) {
		o.dialect |= base64Only // a script is text
	}
	if (o.dialect != 0 || o.jsonp != 0) && isOldBrowser(r.Get("User-Agent")) {
		o.dialect |= oldBrowser
	}
}

// wantsBase64 reports whether a client of protocol 3 accepts no binary data on the transport of this request.
func wantsBase64(r *httpwire.Request) bool {
	v, _ := httpwire.QueryGet(r.RawQuery, "b64")
	return len(v) > 0
}

// jsonpOf returns the callback that the query parameter "j" selects; anything but a number means none.
func jsonpOf(r *httpwire.Request) jsonp {
	v, ok := httpwire.QueryGet(r.RawQuery, "j")
	if !ok || len(v) > jsonpDigits {
		return 0
	}
	n, err := strconv.ParseUint(string(v), 10, 32)
	if err != nil {
		return 0
	}
	return jsonp(n) + 1
}

// isOldBrowser reports whether the agent is a version of Internet Explorer that the reference server treats specially.
func isOldBrowser(agent []byte) bool {
	return bytes.Contains(agent, []byte(";MSIE")) || bytes.Contains(agent, []byte("Trident/"))
}

// frame returns a packet as a WebSocket frame.
func (d dialect) frame(f *eio.Frame) []byte {
	switch {
	case !d.is(revision3):
		return f.WebSocket()
	case d.is(base64Only):
		return f.WebSocketText3()
	}
	return f.WebSocket3()
}

// parse parses a WebSocket message as a packet.
func (d dialect) parse(data []byte, binary bool) (eio.Packet, error) {
	switch {
	case !d.is(revision3) && binary:
		return eio.Packet{Type: eio.Message, Binary: true, Data: data}, nil
	case !d.is(revision3):
		return eio.ParseText(data)
	case binary:
		return eio.ParseBinary3(data)
	}
	return eio.ParseText3(data)
}

// carriedBy returns the dialect on the WebSocket of an upgrade, which may accept binary data although polling did not.
func (d dialect) carriedBy(u *upgrade) dialect {
	d &^= base64Only
	if u.base64 && d.is(revision3) {
		d |= base64Only
	}
	return d
}

// nextPayload encodes the payload for the next GET into the shard's scratch. It returns the number of packets that are
// sent completely, and the bytes to take off the queue's size.
func (s *Session) nextPayload() (packets, bytes int) {
	sh, p := s.shard, s.poll
	// The rest of a packet that fits only in part replaces it in the queue. The difference in size is what was sent.
	sh.before = append(sh.before[:0], p.queue...)
	if s.dialect.is(revision3) {
		sh.scratch, packets = eio.AppendPayload3(sh.scratch[:0], p.queue, s.tuning().MaxPayload, !s.dialect.is(base64Only))
	} else {
		sh.scratch, packets = eio.AppendPayload(sh.scratch[:0], p.queue, s.tuning().MaxPayload)
	}
	for _, f := range sh.before[:packets] {
		bytes += f.Size()
	}
	if packets < len(sh.before) {
		bytes += sh.before[packets].Size() - p.queue[packets].Size()
	}
	s.uncountFetched(sh.before, packets)
	clear(sh.before)
	if cap(sh.before) > beforeKeep {
		sh.before = nil
	}
	return packets, bytes
}

// payloadOf returns a payload of one text packet.
func (s *Session) payloadOf(f *eio.Frame) []byte {
	if !s.dialect.is(revision3) {
		return f.Payload()
	}
	out, _ := eio.AppendPayload3(nil, []*eio.Frame{f}, f.Size(), false)
	return out
}

// openReply returns the response to a polling handshake.
func (s *Session) openReply(packet []byte) reply {
	if s.dialect.is(revision3) {
		packet = s.payloadOf(eio.NewText(packet))
	}
	return s.payloadReply(packet)
}

// payloadReply returns the response to a GET.
func (s *Session) payloadReply(payload []byte) reply {
	r := reply{status: 200, contentType: typeText, body: payload, data: true}
	if s.dialect == 0 && s.poll.jsonp == 0 {
		return r
	}
	r.old = s.dialect.is(oldBrowser)
	switch j := s.poll.jsonp; {
	case j != 0:
		r.contentType = typeScript
		r.body = eio.AppendJSONP(nil, int(j-1), payload)
	case s.dialect.is(revision3) && eio.IsBinaryPayload3(payload):
		r.contentType = typeBinary
	}
	return r
}

// accept answers a POST.
func (s *Session) accept(a requestRef) {
	a.answer(s.shard, reply{status: 200, contentType: typeHTML, body: okBody, data: true, old: s.dialect.is(oldBrowser)})
}

// openPayload returns an iterator over the body of a POST.
func (s *Session) openPayload(body []byte, binary bool) (p eio.Payload, err error) {
	limit := s.shard.engine.cfg.MaxPackets
	if s.poll.jsonp != 0 {
		if body, err = eio.ParseJSONP(body); err != nil {
			return p, err
		}
		binary = false
	}
	if s.dialect.is(revision3) {
		return eio.NewPayload3(body, binary, limit), nil
	}
	return eio.NewPayload(body, limit), nil
}

// openGrace is how long the open packet of protocol 3 waits after the answer to the opening handshake of a WebSocket.
// The reference sends them in two writes, so old clients hardly ever get both in one segment, and some of them (one
// case of the protocol's own test suite is such a client) lose data that comes with the answer. The runtime's timers
// measure it, because the wheel may be too coarse.
const openGrace = 20 * time.Millisecond

// beginLater begins a session of protocol 3 after openGrace. Input of the client stays with the connection meanwhile.
func beginLater(h *HTTPConn, s *Session, open []byte) {
	h.conn.SetReceiver(h)
	begin := func() { beginNow(h, s, open) }
	s.shard.engine.after(openGrace, func() { h.post(begin) })
}

// beginNow sends the open packet. The connection, or the session, may have ended meanwhile.
func beginNow(h *HTTPConn, s *Session, open []byte) {
	w := s.ws
	if h.gone {
		w.Closed(nil) // w was not the receiver yet, so nobody has told it
		return
	}
	h.conn.SetReceiver(w)
	if s.state != stateOpen {
		return
	}
	w.out().Queue(open)
	s.begin()
	h.conn.Resume()
}
