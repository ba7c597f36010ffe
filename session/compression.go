package session

import (
	"fmt"
	"math"
	"sync/atomic"

	"github.com/seed58c87869/siren/codec/deflate"
)

// PerMessageDeflate is compression of WebSocket messages (RFC 7692) for clients that offer it. Immutable once given to
// New. The zero value is off, as in the reference server.
//
// The server never keeps its context from one message to the next: a broadcast is compressed once for all of its
// recipients, and no connection holds a compressor.
type PerMessageDeflate struct {
	// Enabled accepts the offers of clients.
	Enabled bool
	// Threshold is the length in bytes from which messages are compressed. Default 1,024: below that there is little to
	// gain, and most messages of a chat or a game are below.
	Threshold int
	// Level is 1, fast, to 9, small. Default 1: see deflate.DefaultLevel.
	Level int
	// ServerMaxWindowBits bounds the window of what is sent, 8 to 15, and so what clients need to inflate it. Default 15.
	// What is longer than the window of a client that asks for less goes to it as it is.
	ServerMaxWindowBits int
	// ClientTakeover lets clients keep their context, which makes what they send shorter. Off by default: it costs up to
	// 32 KB for each connection.
	ClientTakeover bool
	// ClientMaxWindowBits bounds that context, 8 to 15. Default 15. Clients that cannot be told keep none.
	ClientMaxWindowBits int
}

// HTTPCompression is compression of polling answers, for clients whose Accept-Encoding allows it. Immutable once given
// to New. The zero value is on, as in the reference server.
type HTTPCompression struct {
	// Disabled sends all answers as they are.
	Disabled bool
	// Threshold is the length in bytes from which answers are compressed. Default 1,024.
	Threshold int
	// Level is 1, fast, to 9, small. Default 1.
	Level int
}

// DefaultCompressionThreshold is the length in bytes from which messages and answers are compressed.
const DefaultCompressionThreshold = 1024

// settleCompression fills in the defaults and checks the result.
func (c *Config) settleCompression() error {
	d, b := &c.PerMessageDeflate, &c.HTTPCompression
	for _, f := range []struct {
		v             *int
		def, min, max int
		name          string
	}{
		{&d.Threshold, DefaultCompressionThreshold, 1, math.MaxInt, "PerMessageDeflate.Threshold"},
		{&d.Level, deflate.DefaultLevel, deflate.LevelMin, deflate.LevelMax, "PerMessageDeflate.Level"},
		{&d.ServerMaxWindowBits, deflate.WindowBitsMax, deflate.WindowBitsMin, deflate.WindowBitsMax, "PerMessageDeflate.ServerMaxWindowBits"},
		{&d.ClientMaxWindowBits, deflate.WindowBitsMax, deflate.WindowBitsMin, deflate.WindowBitsMax, "PerMessageDeflate.ClientMaxWindowBits"},
		{&b.Threshold, DefaultCompressionThreshold, 1, math.MaxInt, "HTTPCompression.Threshold"},
		{&b.Level, deflate.DefaultLevel, deflate.LevelMin, deflate.LevelMax, "HTTPCompression.Level"},
	} {
		if *f.v == 0 {
			*f.v = f.def
		}
		if *f.v < f.min || *f.v > f.max {
			return fmt.Errorf("session: Config.%s = %d is out of range", f.name, *f.v)
		}
	}
	return nil
}

// compression is what the connections of an Engine share. Immutable, but for open.
type compression struct {
	// pack compresses one message; its result is nil when that is no shorter. nil when messages are not compressed.
	pack    func(payload []byte) []byte
	bodies  *deflate.BodyCompressor // nil when answers are not compressed
	options deflate.Options
	// open is the number of WebSockets that negotiated it.
	open atomic.Int64
}

// begin sets it up.
func (c *compression) begin(cfg *Config) {
	if !cfg.HTTPCompression.Disabled {
		c.bodies = deflate.NewBodyCompressor(cfg.HTTPCompression.Level)
	}
	d := &cfg.PerMessageDeflate
	if !d.Enabled {
		return
	}
	c.options = deflate.Options{
		ClientTakeover: d.ClientTakeover, ServerWindowBits: d.ServerMaxWindowBits, ClientWindowBits: d.ClientMaxWindowBits,
	}
	messages := deflate.NewCompressor(d.Level, d.ServerMaxWindowBits)
	c.pack = func(payload []byte) []byte {
		packed := messages.Append(make([]byte, 0, len(payload)/2), payload)
		if len(packed) >= len(payload) {
			return nil
		}
		return packed
	}
}
