package session

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/seed58c87869/siren/codec/eio"
)

// Clients of protocol 3 get text compressed and binary messages, whose form differs, uncompressed. A connection that is
// lost before its open packet leaves no state behind.
func TestDeflateProtocol3(t *testing.T) {
	cfg := deflateOn
	cfg.AllowEIO3 = true
	r := newRig(t, 1, cfg)
	p := r.dial(0).write(in3(upgradeRequest("", offerField), ""))
	if a := p.answer(); a == nil || a.Header.Get("Sec-WebSocket-Extensions") != noTakeover {
		t.Fatal(a)
	}
	parseOpen(t, p.message())
	f := eio.Link(eio.NewMessage([]byte(long)), eio.NewBinary([]byte(long)))
	r.loops[0].Do(func() { r.last().s.Send(f, false) })
	p.wantPacked("zt:4"+long, "b:\x04"+long)
	p.cut()

	var begin func()
	r.engine.after = func(_ time.Duration, fn func()) { begin = fn }
	p = r.dial(0).write(in3(upgradeRequest("", offerField), ""))
	p.cut()
	begin()
	r.run()
	r.wantEmpty()
	if n := r.engine.compression.open.Load(); n != 0 {
		t.Errorf("%d connections left", n)
	}
}

// The limit of a client's message also bounds its compressed bytes on the wire: a compressed message must not be longer
// than the inflated message may be.
func TestDeflateWireLimit(t *testing.T) {
	cfg := deflateOn
	cfg.MaxPayload = 100
	r := newRig(t, 1, cfg)
	p := r.openDeflate(0, "", noTakeover, offerField)
	p.write(packedFrame(ws.OpText, bytes.Repeat([]byte{0, 0, 0, 0xff, 0xff}, 21)))
	p.wantPacked("close:1009")
}

// No input on a connection with compression causes a panic, a leak or a message above the limit.
func FuzzDeflate(f *testing.F) {
	f.Add([]byte(packedText("4hello")+textFrame("4x")+packedText("2")), true)
	f.Add([]byte(packedFrame(ws.OpBinary, []byte("\xf2\x00\x11\x00\x00"))), false)
	f.Add([]byte(packedText("4"+strings.Repeat("0", 3000))), false)
	f.Fuzz(func(t *testing.T, data []byte, takeover bool) {
		cfg := Config{MaxPayload: 2000, PerMessageDeflate: PerMessageDeflate{Enabled: true, ClientTakeover: takeover, Threshold: 10}}
		r := newRig(t, 1, cfg).echo()
		p := r.dial(0).write(upgradeRequest("", offerField))
		p.answer()
		p.write(string(data))
		for _, m := range r.last().got {
			if len(m) > 2+cfg.MaxPayload {
				t.Fatalf("a message of %d bytes", len(m))
			}
		}
		p.cut()
		r.wantEmpty()
		if sh := r.engine.Shard(0); len(sh.windows) != 0 || r.engine.compression.open.Load() != 0 {
			t.Fatal("something is left of the connection")
		}
	})
}
