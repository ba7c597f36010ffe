package client

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gobwas/ws"

	"github.com/seed58c87869/siren/codec/wsframe"
)

// frameLimits bound what a server may send: far more than any application does.
var frameLimits = wsframe.Limits{MessageBytes: 32 << 20, Fragments: 1 << 16, Client: true}

// refusalMax bounds what is read of an answer that is no WebSocket, in bytes.
const refusalMax = 64 << 10

// readBuffer is the first size of a connection's read buffer, which grows with the messages.
const readBuffer = 4 << 10

// socket is a WebSocket. One goroutine reads; writing is safe for concurrent use.
type socket struct {
	conn   net.Conn
	reader wsframe.Reader
	buffer []byte // what has been read begins here
	filled int
	used   int // of filled
	msg    wsframe.Message

	// patience bounds a write. Immutable.
	patience time.Duration
	// closing means that close has set a shorter bound.
	closing atomic.Bool

	mu      sync.Mutex // guards what follows
	scratch []byte
}

// closeTime bounds how long the server is told that a session ends.
const closeTime = time.Second

// dialSocket opens a WebSocket. An empty sid asks for a new session.
func dialSocket(ctx context.Context, o *Options, sid string) (*socket, error) {
	header, host := o.header()
	var body []byte
	d := ws.Dialer{
		Header: ws.HandshakeHeaderHTTP(header), Host: host, TLSConfig: o.TLS,
		OnStatusError: func(_ int, _ []byte, resp io.Reader) {
			// The connection may stay open, so the length of the body counts. Without a body the status says it all.
			if answer, err := http.ReadResponse(bufio.NewReader(io.LimitReader(resp, refusalMax)), nil); err == nil {
				body, _ = io.ReadAll(io.LimitReader(answer.Body, 4<<10))
			}
		},
	}
	const expected = "a WebSocket from the server (HTTP status 101)"
	conn, ahead, _, err := d.Dial(ctx, o.address(true, sid))
	var status ws.StatusError
	switch {
	case errors.As(err, &status):
		return nil, RefusedHTTP(o, expected, int(status), body)
	case err != nil && ctx.Err() != nil:
		return nil, Unreachable(o, expected, ctx.Err())
	case err != nil:
		return nil, Unreachable(o, expected, err)
	}
	s := &socket{conn: conn, buffer: make([]byte, readBuffer), patience: o.timeout()}
	if ahead != nil {
		n := ahead.Buffered()
		early, _ := ahead.Peek(n)
		s.buffer = append(s.buffer[:0], early...)
		s.buffer = s.buffer[:max(cap(s.buffer), readBuffer)]
		s.filled = n
		ws.PutReader(ahead)
	}
	return s, nil
}

// read returns the next message, which is valid until the next call.
func (s *socket) read() (packet []byte, binary bool, err error) {
	for {
		n, err := s.reader.Next(s.buffer[s.used:s.filled], &frameLimits, &s.msg)
		if err != nil {
			return nil, false, fmt.Errorf("a frame that breaks RFC 6455: %w", err)
		}
		if s.used += n; n == 0 {
			if err := s.fill(); err != nil {
				return nil, false, err
			}
			continue
		}
		switch s.msg.Kind {
		case wsframe.Text, wsframe.Binary:
			return s.msg.Data, s.msg.Kind == wsframe.Binary, nil
		case wsframe.Ping:
			if err := s.frame(ws.OpPong, s.msg.Data); err != nil {
				return nil, false, err
			}
		case wsframe.Close:
			_ = s.frame(ws.OpClose, nil)
			return nil, false, &closedError{int(s.msg.Code), string(s.msg.Data)}
		}
	}
}

// closedError is a close frame of the server.
type closedError struct {
	code   int
	reason string
}

func (e *closedError) Error() string {
	if e.reason == "" {
		return fmt.Sprintf("a WebSocket close frame with code %d", e.code)
	}
	return fmt.Sprintf("a WebSocket close frame with code %d: %s", e.code, printable([]byte(e.reason)))
}

// fill reads more bytes behind those that are not consumed.
func (s *socket) fill() error {
	s.filled = copy(s.buffer, s.buffer[s.used:s.filled])
	s.used = 0
	if s.filled == len(s.buffer) {
		s.buffer = append(s.buffer, make([]byte, len(s.buffer))...)
	}
	n, err := s.conn.Read(s.buffer[s.filled:])
	s.filled += n
	if n > 0 {
		return nil
	}
	return err
}

// write sends a text message.
func (s *socket) write(packet []byte) error { return s.frame(ws.OpText, packet) }

// frame sends one masked frame. The payload is not changed. frame gives up when the server takes nothing for patience:
// one that reads nothing, but sends pings, would hold up the session's goroutine with a pong for ever.
func (s *socket) frame(op ws.OpCode, payload []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := rand.Uint32()
	mask := [4]byte{byte(r), byte(r >> 8), byte(r >> 16), byte(r >> 24)}
	s.scratch = wsframe.AppendMaskedFrame(s.scratch[:0], op, true, mask, bytes.Clone(payload))
	if !s.closing.Load() {
		_ = s.conn.SetWriteDeadline(time.Now().Add(s.patience))
	}
	_, err := s.conn.Write(s.scratch)
	if err != nil && isTimeout(err) {
		return &Fault{Expected: "a server that reads", Got: fmt.Sprintf("nothing taken within %v", s.patience),
			Next: "see whether the server stands still, or publish less often"}
	}
	return err
}

func (s *socket) expire(t time.Time) { _ = s.conn.SetReadDeadline(t) }

// close ends the connection; the server hears a close frame first.
func (s *socket) close() {
	s.closing.Store(true)
	_ = s.conn.SetWriteDeadline(time.Now().Add(closeTime))
	_ = s.frame(ws.OpClose, []byte{byte(ws.StatusNormalClosure >> 8), byte(ws.StatusNormalClosure & 0xff)})
	_ = s.conn.Close()
}
