package sessiontest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// readBytes is the clients' read buffer.
const readBytes = 16 << 10

// WebSocket is a session whose transport is a WebSocket.
type WebSocket struct {
	conn net.Conn
	in   *bufio.Reader
	buf  [readBytes]byte
}

// OpenWebSocket opens a session on conn. target is the request's target, such as
// "/socket.io/?EIO=4&transport=websocket". The open packet is the first message unless the target names a session.
func OpenWebSocket(conn net.Conn, target string) (*WebSocket, error) {
	w := &WebSocket{conn: conn, in: bufio.NewReaderSize(conn, readBytes)}
	_ = conn.SetDeadline(time.Now().Add(Patience))
	_, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: siren.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", target)
	if err != nil {
		return nil, err
	}
	resp, err := http.ReadResponse(w.in, nil)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		return nil, fmt.Errorf("sessiontest: the WebSocket is refused with %s", resp.Status)
	}
	return w, nil
}

// JoinWebSocket opens a Socket.IO session at the path and connects to the namespace "/".
func JoinWebSocket(conn net.Conn, path string) (*WebSocket, error) {
	w, err := OpenWebSocket(conn, path+"?EIO=4&transport=websocket")
	if err != nil {
		return nil, err
	}
	if err := w.Send("40"); err != nil {
		return nil, err
	}
	for _, want := range []string{"0{", "40{"} {
		if m, err := w.Next(); err != nil || !strings.HasPrefix(m.Text, want) {
			return nil, fmt.Errorf("sessiontest: got %v, %w; want %s", m, err, want)
		}
	}
	return w, nil
}

// Send sends packets, a text message each, in one write.
func (w *WebSocket) Send(packets ...string) error {
	var out []byte
	for _, p := range packets {
		out = append(out, ws.MustCompileFrame(ws.MaskFrameInPlace(ws.NewTextFrame([]byte(p))))...)
	}
	_ = w.conn.SetWriteDeadline(time.Now().Add(Patience))
	_, err := w.conn.Write(out)
	return err
}

// ErrGoodbye means that the server has ended the session in order: by a close frame, or by a close packet on polling.
var ErrGoodbye = errors.New("sessiontest: the server has closed the session")

// Next returns the next message. It answers and skips pings of Engine.IO.
func (w *WebSocket) Next() (Message, error) {
	for {
		m, op, err := w.frame()
		switch {
		case err != nil:
			return m, err
		case op == ws.OpClose:
			return m, ErrGoodbye
		case m.Text == "2":
			if err := w.Send("3"); err != nil {
				return m, err
			}
		case op == ws.OpText || op == ws.OpBinary:
			return m, nil
		}
	}
}

// frame reads one frame and handles its payload in pieces. The error is io.EOF if the connection ends between two
// frames.
func (w *WebSocket) frame() (Message, ws.OpCode, error) {
	_ = w.conn.SetReadDeadline(time.Now().Add(Patience))
	h, err := ws.ReadHeader(w.in)
	if err != nil {
		return Message{}, 0, err
	}
	if !h.Fin {
		return Message{}, h.OpCode, errors.New("sessiontest: a fragment")
	}
	var d digest
	for left := h.Length; left > 0; {
		n, err := w.in.Read(w.buf[:min(left, readBytes)])
		d.add(w.buf[:n])
		left -= int64(n)
		if err != nil && left > 0 {
			return d.message(), h.OpCode, fmt.Errorf("%w after %d of %d bytes of a message", noEOF(err), d.bytes, h.Length)
		}
		_ = w.conn.SetReadDeadline(time.Now().Add(Patience))
	}
	return d.message(), h.OpCode, nil
}

// noEOF replaces io.EOF, because an end in the middle of a frame is an error.
func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// Rest reads until the connection ends. It answers a close frame (RFC 6455, section 5.5.1), and closes the connection
// when the server has.
func (w *WebSocket) Rest() Ending {
	defer w.conn.Close()
	var e Ending
	for {
		m, err := w.Next()
		switch {
		case errors.Is(err, ErrGoodbye):
			if e.Closed {
				e.Err = errors.New("sessiontest: a second close frame")
				return e
			}
			e.Closed = true
			_ = wsutil.WriteClientMessage(w.conn, ws.OpClose, nil)
		case err == io.EOF:
			return e
		case err != nil:
			e.Err = err
			return e
		case e.Closed:
			e.Err = fmt.Errorf("sessiontest: %v behind the close frame", m)
			return e
		default:
			e.Messages = append(e.Messages, m)
		}
	}
}

// Close closes the connection.
func (w *WebSocket) Close() { _ = w.conn.Close() }
