package session

import (
	"runtime"
	"strings"
	"testing"

	"github.com/seed58c87869/siren/codec/deflate"
)

// longText is a compressed message of a megabyte that takes several turns.
func longText(name string) string { return packedText("4" + name + strings.Repeat("0", 900_000)) }

// names are the first bytes of what the application got.
func (c *recorder) names() string {
	var out strings.Builder
	for _, m := range c.got {
		out.WriteString(m[:1])
	}
	return out.String()
}

// What a client sends behind a message that takes several turns is handled behind it, and so are its end, and the
// messages that other clients sent later and that take several turns, too.
func TestInflatingKeepsTheOrder(t *testing.T) {
	both(t, func(t *testing.T, loop int) {
		r := newRig(t, 2, deflateOn)
		p, other := deflating(r, loop), deflating(r, loop)
		first, second := r.clients[0], r.clients[1]
		l := r.loops[loop]
		goroutines := runtime.NumGoroutine()
		// In one pass, so that nothing of it is inflated at once but the first piece.
		l.Do(func() {
			p.conn.Feed([]byte(longText("a") + textFrame("4b") + longText("c")))
			other.conn.Feed([]byte(longText("d") + textFrame("4e")))
			p.conn.Feed([]byte(textFrame("4f") + textFrame("1")))
		})
		if n := len(r.engine.Shard(loop).inflating); n != 2 || !p.conn.Holding() || !other.conn.Holding() || len(first.got) > 0 {
			t.Fatalf("%d messages are being inflated, %q got", n, first.names())
		}
		if n := runtime.NumGoroutine() - goroutines; n > 1 {
			t.Errorf("%d decompressors are held", n)
		}
		r.run()
		if got := first.names() + second.names(); got != "abcfde" {
			t.Errorf("got %q", got)
		}
		first.wantClosed(ReasonTransportClose)
		second.wantClosed()
		if n := len(r.engine.Shard(loop).inflating); n != 0 || other.conn.Holding() {
			t.Errorf("%d messages are being inflated", n)
		}
		other.text("4g")
		if second.names() != "deg" {
			t.Errorf("got %q", second.names())
		}
	})
}

// A connection that closes, or is closed, while its message is inflated leaves nothing behind, and the next one goes
// on.
func TestInflatingEndsWithItsConnection(t *testing.T) {
	for name, end := range map[string]func(r *rig, p *peer){
		"cut":    func(r *rig, p *peer) { p.conn.PeerClose(nil) },
		"closed": func(r *rig, _ *peer) { r.loops[0].Do(func() { r.clients[0].s.Close(ReasonForcedServerClose) }) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, 1, deflateOn)
			p, other := deflating(r, 0), deflating(r, 0)
			r.loops[0].Do(func() {
				p.conn.Feed([]byte(longText("a")))
				other.conn.Feed([]byte(longText("b")))
			})
			if len(r.engine.Shard(0).inflating) != 2 {
				t.Fatal("nothing is being inflated")
			}
			if end(r, p); name == "cut" && len(r.engine.Shard(0).inflating) != 1 {
				t.Error("the message of the closed connection is inflated on")
			}
			r.run()
			if r.clients[0].names() != "" || r.clients[1].names() != "b" || len(r.engine.Shard(0).inflating) != 0 {
				t.Errorf("got %q and %q", r.clients[0].names(), r.clients[1].names())
			}
			if !p.isClosed() || other.isClosed() || other.conn.Holding() {
				t.Error("the wrong connection is closed")
			}
		})
	}
}

// A faulty message that takes several turns ends its connection as others do.
func TestInflatingRefuses(t *testing.T) {
	both(t, func(t *testing.T, loop int) {
		broken := clientPacker.Append(nil, []byte("4"+strings.Repeat("0", 900_000)))
		broken[len(broken)-1] ^= 0xff
		long := deflate.NewCompressor(1, 15).Append(nil, []byte("4"+strings.Repeat("0", DefaultMaxPayload)))
		for _, c := range []struct{ name, frame, code string }{
			{"too long", packedFrame(1, long), "close:1009"},
			{"not UTF-8", packedText("4" + strings.Repeat("\xff", 900_000)), "close:1007"},
			{"corrupt", packedFrame(1, append(broken, 0xff)), "close:1007"},
		} {
			r := newRig(t, 2, deflateOn)
			p := deflating(r, loop)
			p.write(c.frame + textFrame("4x"))
			p.wantPacked(append([]string{"t:3probe"}[:loop], c.code)...)
			if r.last().wantClosed(ReasonTransportError); len(r.last().got) != 0 {
				t.Errorf("%s: %q got", c.name, r.last().names())
			}
		}
	})
}
