package session

import (
	"fmt"
	"math"
	"sync/atomic"

	"github.com/seed58c87869/siren/codec/deflate"
)

// PerMessageDeflate configures the compression of WebSocket messages (RFC 7692) for clients that offer it. Immutable
// once passed to New. The zero value is off, as in the reference server.
//
// The server never keeps its context between messages: a broadcast is compressed once for all recipients, and no
// connection holds a compressor.
type PerMessageDeflate struct {
	// Enabled accepts the offers of clients.
	Enabled bool
	// Threshold is the length in bytes from which messages are compressed. Default 1,024: shorter messages, such as
	// most of a chat or a game, gain little.
	Threshold int
	// Level is the compression level, 1 (fast) to 9 (small). Default 1: see deflate.DefaultLevel.
	Level int
	// ServerMaxWindowBits bounds the window of sent messages, 8 to 15, and with it the memory that clients need to
	// inflate them. Default 15. A message longer than the smaller window that a client asked for is sent to it
	// uncompressed.
	ServerMaxWindowBits int
	// ClientTakeover lets clients keep their context, which makes their messages shorter. Off by default, because it
	// costs up to 32 KB for each connection.
	ClientTakeover bool
	// ClientMaxWindowBits bounds that context, 8 to 15. Default 15. Clients that do not support the limit keep no
	// context.
	ClientMaxWindowBits int
}

// HTTPCompression configures the compression of polling responses, for clients whose Accept-Encoding allows it.
// Immutable once passed to New. The zero value is on, as in the reference server.
type HTTPCompression struct {
	// Disabled sends all responses uncompressed.
	Disabled bool
	// Threshold is the length in bytes from which responses are compressed. Default 1,024.
	Threshold int
	// Level is the compression level, 1 (fast) to 9 (small). Default 1.
	Level int
}

// DefaultCompressionThreshold is the length in bytes from which messages and responses are compressed.
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

// compression is the state that the connections of an Engine share. Immutable, except open.
type compression struct {
	// pack compresses one message. It returns nil if the result is no shorter. It is nil if messages are not
	// compressed.
	pack    func(payload []byte) []byte
	bodies  *deflate.BodyCompressor // nil when answers are not compressed
	options deflate.Options
	// open is the number of WebSockets that negotiated compression.
	open atomic.Int64
}

// begin initializes c from cfg.
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
