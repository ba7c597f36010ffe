package eio

import (
	"strconv"
	"time"

	"github.com/seed58c87869/siren/codec/quote"
)

// OpenInfo is the content of the open packet, the server's half of the handshake (protocol section
// "Handshake"). It is a plain value; AppendOpen only reads it.
type OpenInfo struct {
	SID          string        // session id, see NewSID
	Upgrades     []string      // transports the client may upgrade to, such as "websocket"; nil is []
	PingInterval time.Duration // time between pings; whole milliseconds on the wire
	PingTimeout  time.Duration // time the client has for its pong; whole milliseconds on the wire
	MaxPayload   int           // bytes of the largest polling body the server reads
}

// AppendOpen appends the open packet to dst, including its type. The keys are in the order of the
// reference server.
func AppendOpen(dst []byte, o *OpenInfo) []byte {
	dst = append(dst, byte(Open))
	dst = append(dst, `{"sid":`...)
	dst = quote.Append(dst, o.SID)
	dst = append(dst, `,"upgrades":[`...)
	for i, u := range o.Upgrades {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = quote.Append(dst, u)
	}
	dst = append(dst, `],"pingInterval":`...)
	dst = strconv.AppendInt(dst, o.PingInterval.Milliseconds(), 10)
	dst = append(dst, `,"pingTimeout":`...)
	dst = strconv.AppendInt(dst, o.PingTimeout.Milliseconds(), 10)
	dst = append(dst, `,"maxPayload":`...)
	dst = strconv.AppendInt(dst, int64(o.MaxPayload), 10)
	return append(dst, '}')
}
