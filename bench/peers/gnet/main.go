// Command gnet is what a bare gnet server does with the frames of the load
// scenarios: gnet PORT. It is no Socket.IO server: it looks for the bytes that
// the load client sends, keeps no session, sends no ping, and writes each
// answer at once. Beside it a Socket.IO server on gnet can be seen to cost what
// Socket.IO costs. It knows the events "join", "echo", "enter", "move" and
// "ping" only, and has one loop per processor (GOMAXPROCS).
package main

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"strconv"

	"github.com/panjf2000/gnet/v2"
)

const (
	acceptGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" // RFC 6455, section 1.3
	opened     = `0{"sid":"bare","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}`
	connected  = `40{"sid":"bare"}`
	headMax    = 4 << 10
)

type server struct {
	gnet.BuiltinEventEngine
	rooms rooms
}

// client is a connection that has upgraded.
type client struct{ room string }

func (*server) OnBoot(gnet.Engine) gnet.Action {
	fmt.Println("ready")
	return gnet.None
}

// OnTraffic answers what has arrived whole. A connection without a context has not upgraded yet.
func (s *server) OnTraffic(c gnet.Conn) gnet.Action {
	for {
		in, err := c.Peek(-1)
		if err != nil || len(in) == 0 {
			return gnet.None
		}
		take := s.frame
		if c.Context() == nil {
			take = handshake
		}
		n, out := take(c, in)
		if n < 0 {
			return gnet.Close
		}
		if n == 0 {
			return gnet.None
		}
		_, _ = c.Discard(n)
		if len(out) > 0 {
			_, _ = c.Write(out)
		}
	}
}

func handshake(c gnet.Conn, in []byte) (n int, out []byte) {
	end := bytes.Index(in, []byte("\r\n\r\n"))
	_, rest, found := bytes.Cut(in, []byte("Sec-WebSocket-Key: "))
	switch {
	case end < 0 && len(in) > headMax, end >= 0 && !found:
		return -1, nil
	case end < 0:
		return 0, nil
	}
	key, _, _ := bytes.Cut(rest, []byte("\r\n"))
	sum := sha1.Sum(append(key[:len(key):len(key)], acceptGUID...))
	c.SetContext(&client{})
	out = append(out, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "...)
	out = append(base64.StdEncoding.AppendEncode(out, sum[:]), "\r\n\r\n"...)
	return end + 4, text(out, opened)
}

// frame takes one masked frame.
func (s *server) frame(c gnet.Conn, in []byte) (n int, out []byte) {
	if len(in) < 6 {
		return 0, nil
	}
	size, at := int(in[1]&0x7f), 2
	switch size {
	case 126:
		if len(in) < 8 {
			return 0, nil
		}
		size, at = int(binary.BigEndian.Uint16(in[2:])), 4
	case 127:
		return -1, nil
	}
	mask, payload := in[at:], in[min(at+4, len(in)):]
	if len(payload) < size {
		return 0, nil
	}
	payload = payload[:size]
	for i := range payload {
		payload[i] ^= mask[i&3]
	}
	if in[0] == 0x88 {
		return -1, nil
	}
	return at + 4 + size, s.answer(c, payload)
}

func (s *server) answer(c gnet.Conn, packet []byte) []byte {
	if string(packet) == "40" {
		return text(nil, connected)
	}
	event, ok := bytes.CutPrefix(packet, []byte("42"))
	open := bytes.IndexByte(event, '[')
	if !ok || open < 0 {
		return nil
	}
	id, args := event[:open], event[open:]
	if bytes.HasPrefix(args, []byte(`["join"`)) {
		return text(nil, "43"+string(id)+"[]")
	}
	if bytes.HasPrefix(args, []byte(`["ping"`)) {
		return text(nil, "43"+string(id)+"[]")
	}
	if bytes.HasPrefix(args, []byte(`["move",`)) {
		s.rooms.pass(c.Context().(*client).room, c, packet)
		return nil
	}
	if name, ok := roomOf(args); ok {
		c.Context().(*client).room = name
		s.rooms.enter(name, c)
		return text(nil, "43"+string(id)+"[]")
	}
	if args, ok = bytes.CutPrefix(args, []byte(`["echo",`)); !ok {
		return nil
	}
	out := header(make([]byte, 0, len(packet)+8), 3+len(id)+len(args))
	out = append(append(out, "43"...), id...)
	return append(append(out, '['), args...)
}

func header(out []byte, n int) []byte {
	if n < 126 {
		return append(out, 0x81, byte(n))
	}
	return binary.BigEndian.AppendUint16(append(out, 0x81, 126), uint16(n))
}

func text(out []byte, s string) []byte { return append(header(out, len(s)), s...) }

func main() {
	port := 0
	if len(os.Args) == 2 {
		port, _ = strconv.Atoi(os.Args[1])
	}
	if port <= 0 || port >= 1<<16 {
		fmt.Fprintln(os.Stderr, "usage: gnet PORT")
		os.Exit(2)
	}
	if err := gnet.Run(&server{}, fmt.Sprintf("tcp://127.0.0.1:%d", port), gnet.WithNumEventLoop(runtime.GOMAXPROCS(0))); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
