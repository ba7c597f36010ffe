package sim

import (
	"fmt"

	"github.com/gobwas/ws"
)

// handshake is the request of the official client in Node.js, without cookies or proxies' fields. The session keeps
// it, so its length counts: a browser's is some 400 bytes longer.
var handshake = []byte("GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nSec-WebSocket-Version: 13\r\n" +
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
	"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\nHost: localhost:3000\r\n\r\n")

// The other packets of a client.
var (
	connectPacket = clientFrame("40")
	pongPacket    = clientFrame("3")
)

// helloEvent returns the event by which a loop learns the socket of a connection.
func helloEvent(loop int) string { return fmt.Sprint("hello", loop) }

func helloPacket(loop int) []byte { return clientFrame(fmt.Sprintf(`42["%s"]`, helloEvent(loop))) }

// tick is what is broadcast.
const tick = "tick"

// tickText makes the message about as long as those of the other scenarios.
const tickText = "the quick brown fox jumps over the lazy dog, again"

// clientFrame returns one masked WebSocket frame.
func clientFrame(text string) []byte {
	b, err := ws.CompileFrame(ws.MaskFrameInPlace(ws.NewTextFrame([]byte(text))))
	if err != nil {
		panic(err) // a frame of constant text
	}
	return b
}
