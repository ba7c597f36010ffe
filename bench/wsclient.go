package bench

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/gobwas/ws"

	"github.com/seed58c87869/siren/codec/wsframe"
)

// Errors of a WebSocket connection.
var (
	errUpgradeRefused = errors.New("websocket upgrade refused")
	errAcceptKey      = errors.New("wrong Sec-WebSocket-Accept")
	errBinary         = errors.New("unexpected binary message")
	errTruncated      = errors.New("connection closed by the server")
)

// serverFrames limits what a subscriber accepts: far more than a tick, since
// the server's limit is what is under test, not ours.
var serverFrames = wsframe.Limits{MessageBytes: 2 * sizeMax, Fragments: 1 << 16, Client: true}

// wsLink is a session's WebSocket connection; loop-owned. It is the first
// transport of the session or, with a sid, the probe of an upgrade.
type wsLink struct {
	sub     *subscriber
	conn    *conn
	reader  wsframe.Reader
	head    responseReader
	partial []byte // an incomplete frame
	key     string
	sid     string
	open    bool // the 101 has come
	probing bool // `5` has not been sent yet
}

// dialWebSocket starts a WebSocket for a subscriber. An empty sid asks for a
// new session.
func dialWebSocket(s *subscriber, sid string) (*wsLink, error) {
	var nonce [16]byte
	binary.NativeEndian.PutUint64(nonce[:8], s.w.random.Uint64())
	binary.NativeEndian.PutUint64(nonce[8:], s.w.random.Uint64())
	l := &wsLink{
		sub: s, sid: sid, probing: sid != "",
		key: base64.StdEncoding.EncodeToString(nonce[:]),
	}
	var err error
	if l.conn, err = s.w.dial(l, s.slow); err != nil {
		return nil, err
	}
	return l, nil
}

// opened sends the upgrade request.
func (l *wsLink) opened() {
	t := &l.sub.w.target
	l.conn.send([]byte("GET " + t.query("websocket", l.sid) + " HTTP/1.1\r\nHost: " + t.host +
		"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
		"Sec-WebSocket-Key: " + l.key + "\r\n\r\n"))
}

// received takes the 101 and then frames.
func (l *wsLink) received(data []byte, now int64) error {
	if !l.open {
		n, resp, err := l.head.next(data)
		if err != nil {
			return err
		}
		if resp == nil {
			return nil
		}
		if err := l.accept(resp); err != nil {
			return err
		}
		data = data[n:]
	}
	if len(l.partial) == 0 {
		n, err := l.frames(data, now)
		if err != nil || n == len(data) {
			return err
		}
		l.partial = append(l.partial, data[n:]...)
		return nil
	}
	l.partial = append(l.partial, data...)
	n, err := l.frames(l.partial, now)
	if err != nil {
		return err
	}
	if l.partial = append(l.partial[:0], l.partial[n:]...); len(l.partial) == 0 {
		l.partial = nil // idle subscribers hold no buffer
	}
	return nil
}

// accept checks the answer to the upgrade request.
func (l *wsLink) accept(resp *response) error {
	if resp.Status != 101 {
		return fmt.Errorf("%w: status %d", errUpgradeRefused, resp.Status)
	}
	// A floor knows no keys.
	if !l.sub.w.duty.Raw && resp.Accept != string(wsframe.AcceptKey(nil, []byte(l.key))) {
		return errAcceptKey
	}
	l.open = true
	l.head = responseReader{}
	if l.probing {
		l.send(probePing)
	}
	return nil
}

// frames takes whole frames from the start of data and returns their size.
func (l *wsLink) frames(data []byte, now int64) (n int, err error) {
	var msg wsframe.Message
	for n < len(data) {
		size, err := l.reader.Next(data[n:], &serverFrames, &msg)
		if err != nil {
			return n, err
		}
		if size == 0 {
			return n, nil
		}
		n += size
		if err := l.message(&msg, now); err != nil {
			return n, err
		}
		if l.conn.fd < 0 {
			return len(data), nil // the message ended this connection
		}
	}
	return n, nil
}

// message handles one message or control frame.
func (l *wsLink) message(msg *wsframe.Message, now int64) error {
	switch msg.Kind {
	case wsframe.Text:
		if l.probing {
			return l.sub.probeAnswered(msg.Data)
		}
		return l.sub.packet(msg.Data, now)
	case wsframe.Binary:
		return errBinary
	case wsframe.Ping:
		l.frame(ws.OpPong, msg.Data)
	case wsframe.Close:
		return fmt.Errorf("websocket closed by the server with %d", msg.Code)
	}
	return nil
}

// closed passes the end on: of the probe, or of the session.
func (l *wsLink) closed(err error) {
	l.reader.Reset()
	if errors.Is(err, io.EOF) {
		err = errTruncated
	}
	if l.probing {
		l.sub.probeFailed(err)
		return
	}
	l.sub.fail(err)
}

// send writes a packet as a text message.
func (l *wsLink) send(packet string) {
	w := l.sub.w
	w.packet = append(w.packet[:0], packet...)
	l.frame(ws.OpText, w.packet)
}

// sendBytes is send for a packet that may be overwritten, by masking too.
func (l *wsLink) sendBytes(packet []byte) { l.frame(ws.OpText, packet) }

// leave ends the session: a closed connection is enough.
func (l *wsLink) leave() {
	l.close()
	l.sub.left()
}

// frame writes one masked frame.
func (l *wsLink) frame(op ws.OpCode, payload []byte) {
	w := l.sub.w
	var mask [4]byte
	binary.NativeEndian.PutUint32(mask[:], w.random.Uint32())
	w.scratch = wsframe.AppendMaskedFrame(w.scratch[:0], op, true, mask, payload)
	l.conn.send(w.scratch)
}

// close ends the connection without a word to the subscriber.
func (l *wsLink) close() {
	l.conn.close()
	l.reader.Reset()
}
