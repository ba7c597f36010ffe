package bench

import (
	"strconv"
	"strings"

	"github.com/gobwas/ws"

	"github.com/seed58c87869/siren/codec/wsframe"
)

// floorSession is the session id of every client of a floor.
const floorSession = "AAAAAAAAAAAAAAAAAAAA"

// floorScript tells a floor what to do with each connection; a plain value, sent to its process. The floor parses
// nothing: it answers the n-th read with the n-th reply, which has the length of a server's answer.
type floorScript struct {
	// Replies answer the first reads of a connection, one each.
	Replies [][]byte `json:"replies"`
	// Cycle answers the further reads, over and over. It is empty if reads only request a tick.
	Cycle [][]byte `json:"cycle"`
	// Request is the size of a request that Cycle answers, if one read may bring several; 0 if each has its own read.
	Request int `json:"request"`
	// Lockstep makes every tick wait for a read, because it answers a waiting GET.
	Lockstep bool `json:"lockstep"`
}

// newFloorScript returns the script that imitates a server in such use. echoSize is the size of an echo's text.
func newFloorScript(transport Transport, d duty, v Vocabulary, echoSize int) floorScript {
	const (
		open     = `0{"sid":"` + floorSession + `","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}`
		accepted = packetConnect + `{"sid":"` + floorSession + `"}`
	)
	_, joined := v.join()
	joined = "4" + joined
	answer := string(floorEchoAnswer(v, echoSize))
	if transport == TransportPolling {
		s := floorScript{Lockstep: d.Park}
		s.Replies = [][]byte{floorHTTP(open), floorHTTP("ok"), floorHTTP(accepted)}
		if d.Join {
			s.Replies = append(s.Replies, floorHTTP("ok"), floorHTTP(joined))
		}
		if !d.Park {
			s.Cycle = [][]byte{floorHTTP("ok"), floorHTTP(answer)}
		}
		return s
	}
	head := []byte("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n")
	s := floorScript{Replies: [][]byte{append(head, floorFrame(open)...), floorFrame(accepted)}}
	if d.Join {
		s.Replies = append(s.Replies, floorFrame(joined))
	}
	s.Cycle = [][]byte{floorFrame(answer)}
	s.Request = floorRequestSize(v, echoSize)
	return s
}

// floorEchoAnswer returns the answer to the first echo.
func floorEchoAnswer(v Vocabulary, size int) []byte {
	_, answer := v.echo(strings.Repeat("x", size))
	return append(strconv.AppendInt([]byte("43"), echoIDBase, 10), answer...)
}

// floorRequestSize returns the size of a client's frame with an echo.
func floorRequestSize(v Vocabulary, size int) int {
	const mask, id = 4, 9
	body, _ := v.echo(strings.Repeat("x", size))
	payload := len(echoRequestHead) + id + len(body)
	return wsframe.HeaderSize(payload) + mask + payload
}

// floorFrame returns a packet as a server's frame.
func floorFrame(packet string) []byte {
	return wsframe.AppendFrame(nil, ws.OpText, []byte(packet))
}

// floorHTTP returns a payload as an answer to a polling request.
func floorHTTP(payload string) []byte {
	return append(appendFloorHead(nil, len(payload)), payload...)
}

// appendFloorHead appends the head of an answer to a polling request.
func appendFloorHead(dst []byte, length int) []byte {
	dst = append(dst, "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=UTF-8\r\nCache-Control: no-store\r\nContent-Length: "...)
	dst = strconv.AppendInt(dst, int64(length), 10)
	return append(dst, "\r\n\r\n"...)
}

// floorTicks builds the bytes of consecutive ticks in a buffer that it keeps;
// it belongs to one goroutine.
type floorTicks struct {
	out  []byte
	pad  []byte
	http bool
}

// newFloorTicks returns a builder of ticks with texts of that size, as answers
// to GETs or as frames.
func newFloorTicks(size int, http bool) *floorTicks {
	f := &floorTicks{http: http}
	for range size - tickPadAt {
		f.pad = append(f.pad, 'x')
	}
	return f
}

// batch returns what to send for the ticks first to last-1 at that time; valid
// until the next call.
func (f *floorTicks) batch(first, last int, now int64) []byte {
	packet := 1 + len(tickPrefix) + tickPadAt + len(f.pad) + len(tickSuffix)
	f.out = f.out[:0]
	if f.http {
		n := last - first
		f.out = appendFloorHead(f.out, n*packet+(n-1)*len(packetSeparator))
	}
	for i := first; i < last; i++ {
		switch {
		case !f.http:
			f.out = wsframe.AppendHeader(f.out, ws.OpText, true, packet)
		case i > first:
			f.out = append(f.out, packetSeparator...)
		}
		f.out = append(f.out, '4')
		f.out = append(f.out, tickPrefix...)
		f.out = append(f.out, '#')
		f.out = appendPadded(f.out, int64(i), tickTimeAt-1-tickNumberAt)
		f.out = append(f.out, ':')
		f.out = appendPadded(f.out, now, tickPadAt-1-tickTimeAt)
		f.out = append(f.out, ':')
		f.out = append(f.out, f.pad...)
		f.out = append(f.out, tickSuffix...)
	}
	return f.out
}

// appendPadded appends a number with zeros in front.
func appendPadded(dst []byte, n int64, width int) []byte {
	at := len(dst)
	for range width {
		dst = append(dst, '0')
	}
	for i := at + width - 1; i >= at && n > 0; i-- {
		dst[i] = byte('0' + n%10)
		n /= 10
	}
	return dst
}
