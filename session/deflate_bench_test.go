package session

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"github.com/seed58c87869/siren/codec/deflate"
	"github.com/seed58c87869/siren/codec/eio"
)

// deflateBench is a WebSocket session that compresses, and its connection.
func deflateBench(tb testing.TB, cfg Config) (*bench, *nullConn, *Session) {
	e := newBench(tb, cfg)
	c := e.dial()
	c.feed(make([]byte, 0, 1024), upgradeRequest("", offerField))
	return e, c, e.session()
}

// A compressed frame costs its recipients no allocation.
func TestDeflateAllocations(t *testing.T) {
	e, _, s := deflateBench(t, deflateOn)
	f := eio.NewMessage([]byte(long))
	e.engine.Deflate(f)
	if n := testing.AllocsPerRun(100, func() { s.Send(f, false) }); n != 0 {
		t.Errorf("Send: %v allocations", n)
	}
}

// BenchmarkSendDeflated is what one recipient of a broadcast of 1.5 KB costs, compressed or not.
func BenchmarkSendDeflated(b *testing.B) {
	for _, on := range []bool{false, true} {
		b.Run(fmt.Sprint(on), func(b *testing.B) {
			e, _, s := deflateBench(b, Config{PerMessageDeflate: PerMessageDeflate{Enabled: on}})
			f := eio.NewMessage([]byte(long))
			e.engine.Deflate(f)
			b.ReportAllocs()
			for b.Loop() {
				s.Send(f, false)
			}
		})
	}
}

// BenchmarkReceiveDeflated is one compressed message from the socket to the application.
func BenchmarkReceiveDeflated(b *testing.B) {
	for _, n := range []int{1 << 10, 100 << 10} {
		for _, takeover := range []bool{false, true} {
			b.Run(fmt.Sprintf("%d/takeover=%v", n, takeover), func(b *testing.B) {
				_, c, _ := deflateBench(b, Config{PerMessageDeflate: PerMessageDeflate{Enabled: true, ClientTakeover: takeover}})
				text := `4["event",` + strings.Repeat(`{"id":12345,"name":"somebody","value":0.25},`, n/44) + `]`
				in, buf := packedFrame(ws.OpText, deflate.NewCompressor(1, 15).Append(nil, []byte(text))), make([]byte, 0, n)
				b.SetBytes(int64(len(text)))
				b.ReportAllocs()
				for b.Loop() {
					c.feed(buf, in)
				}
			})
		}
	}
}

// BenchmarkPollingPacked is one answer of 10 KB to a GET, compressed or not.
func BenchmarkPollingPacked(b *testing.B) {
	for _, accept := range []string{"identity", "gzip"} {
		b.Run(accept, func(b *testing.B) {
			e := newBench(b, Config{})
			c, buf := e.dial(), make([]byte, 0, 2048)
			c.feed(buf, request("GET", base+"polling", ""))
			s := e.session()
			f := eio.NewMessage([]byte(strings.Repeat(`{"id":12345,"name":"somebody","value":0.25},`, 10<<10/44)))
			get := request("GET", base+"polling&sid="+s.sid, "", "Accept-Encoding: "+accept)
			b.SetBytes(10 << 10)
			b.ReportAllocs()
			for b.Loop() {
				s.Send(f, false)
				c.feed(buf, get)
			}
		})
	}
}
