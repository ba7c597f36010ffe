package session

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/poller/pollertest"
)

// script is a fuzzer's input, read as orders.
type script struct{ b []byte }

func (s *script) next(n int) int {
	if len(s.b) == 0 {
		return 0
	}
	v := int(s.b[0]) % n
	s.b = s.b[1:]
	return v
}

func (s *script) bytes(n int) []byte {
	n = min(n, len(s.b))
	out := s.b[:n]
	s.b = s.b[n:]
	return out
}

// storm is a crowd of clients that do what the script says.
type storm struct {
	*rig
	script script
	peers  []*peer
	sids   []string
}

var stormPackets = []string{"4hello", "4", "2", "2probe", "3", "5", "1", "6", "0", "bAQID", "b!", "x", "", "4a\x1e4b", "4a\x1e1\x1e4b", "\xff",
	"6:4hello", "1:2", "2:4€1:1", "b4AQID", "\x04abc", "\x00\x01\xff2\x01\x02\xff\x04a", "d=6:4hello", "d=4a\\n%1e2"}

func (s *storm) sid() string {
	if len(s.sids) == 0 || s.script.next(8) == 0 {
		return []string{"__proto__", "", eio.NewSID(0), eio.NewSID(1), eio.NewSID(9)}[s.script.next(5)]
	}
	return s.sids[s.script.next(len(s.sids))]
}

func (s *storm) text() string {
	packet := stormPackets[s.script.next(len(stormPackets))]
	switch s.script.next(14) {
	case 0, 1:
		return getRequest(s.sid())
	case 2, 3:
		return postRequest(s.sid(), packet)
	case 4:
		return request("POST", base+"polling&sid="+s.sid(), packet, "Expect: 100-continue")
	case 12:
		return request("POST", base+"polling&sid="+s.sid(), packet, "Content-Type: application/octet-stream")
	case 5:
		return upgradeRequest(s.sid())
	case 6:
		return upgradeRequest(s.sid()) + textFrame("2probe") + textFrame("5")
	case 7:
		return s.revised(upgradeRequest(""))
	case 8:
		return s.revised(request("GET", base+"polling", ""))
	case 9:
		return textFrame(packet)
	case 10:
		return frame([]ws.OpCode{ws.OpBinary, ws.OpPing, ws.OpPong, ws.OpClose, ws.OpContinuation}[s.script.next(5)], packet)
	case 11:
		return request([]string{"PUT", "OPTIONS", "DELETE"}[s.script.next(3)], base+"polling&sid="+s.sid(), packet)
	}
	return request("GET", "/other", packet)
}

// revised makes a handshake one of protocol 3 or of JSONP, sometimes.
func (s *storm) revised(handshake string) string {
	as := []string{"EIO=4", "EIO=3", "EIO=3&b64=1", "EIO=3&j=0&b64=1", "EIO=4&j=7", "EIO=2"}[s.script.next(6)]
	return strings.Replace(handshake, "EIO=4", as, 1)
}

func (s *storm) step() {
	if len(s.peers) == 0 || s.script.next(6) == 0 {
		s.peers = append(s.peers, s.dial(s.script.next(2)))
	}
	p := s.peers[s.script.next(len(s.peers))]
	switch s.script.next(10) {
	case 0, 1, 2:
		p.conn.Feed([]byte(s.text()))
	case 3:
		p.conn.FeedSplit([]byte(s.text()), 1+s.script.next(100))
	case 4:
		text := s.text()
		p.conn.Feed([]byte(text[:len(text)*(1+s.script.next(8))/9]))
	case 5:
		p.conn.Feed(s.script.bytes(1 + s.script.next(40)))
	case 6:
		s.loops[s.script.next(2)].RunUntilIdle()
	case 7:
		d := []time.Duration{ms, 100 * ms, 250 * ms, 400 * ms}[s.script.next(4)]
		for _, l := range s.loops {
			l.Advance(d)
		}
	case 8:
		switch s.script.next(3) {
		case 0:
			p.conn.PeerClose(io.EOF)
		case 1:
			p.conn.Stall(s.script.next(2) == 0)
		default:
			p.conn.Loop().SetQueueBytesMax([]int{-1, pollertest.DefaultQueueBytesMax}[s.script.next(2)])
		}
	case 9:
		s.serve()
	}
	for _, c := range s.clients[len(s.sids):] {
		s.sids = append(s.sids, c.s.sid)
	}
}

// serve does something on the application's side.
func (s *storm) serve() {
	if len(s.clients) == 0 {
		return
	}
	c := s.clients[s.script.next(len(s.clients))]
	s.loops[c.s.shard.loop.Index()].Do(func() {
		switch s.script.next(5) {
		case 0, 1:
			c.s.Send(eio.NewMessage([]byte("from the server")), s.script.next(2) == 0)
		case 2:
			c.s.Send(eio.Link(eio.NewMessage([]byte("head")), eio.NewBinary(make([]byte, 50)), eio.NewBinary(nil)), false)
		case 3:
			c.s.Close(ReasonForcedClose)
		case 4:
			if s.script.next(4) == 0 {
				s.engine.Close(ReasonServerShutdown)
			}
		}
	})
}

// end closes all connections, lets time pass, and checks that nothing is left and that every answer is one.
func (s *storm) end() {
	for _, p := range s.peers {
		p.conn.PeerClose(io.EOF)
	}
	s.run()
	s.leap(3*time.Second, 250*ms)
	s.wantEmpty()
	for i, c := range s.clients {
		if len(c.closed) != 1 {
			s.t.Fatalf("client %d was told its end %d times", i, len(c.closed))
		}
	}
	for _, p := range s.peers {
		out := p.pull()
		in := bufio.NewReader(bytes.NewReader(out))
		for {
			if _, err := in.Peek(1); err != nil {
				break
			}
			resp, err := http.ReadResponse(in, nil)
			if err != nil {
				s.t.Fatalf("answers are no HTTP: %v in %q", err, out)
			}
			if resp.StatusCode == http.StatusSwitchingProtocols {
				break
			}
			if _, err := io.Copy(io.Discard, resp.Body); err != nil {
				s.t.Fatalf("short answer: %v in %q", err, out)
			}
		}
	}
}

func runStorm(t testing.TB, data []byte) {
	cfg := Config{
		PingInterval: 300 * ms, PingTimeout: 200 * ms, UpgradeTimeout: 150 * ms, CloseTimeout: time.Second,
		HeaderTimeout: 200 * ms, BodyTimeout: 300 * ms, IdleTimeout: 400 * ms,
		MaxPayload: 500, QueueBytes: 1000, QueueFrames: 20, MaxPipeline: 2000, InboundBytes: 2000, AllowEIO3: true,
	}
	s := &storm{rig: newRig(t, 2, cfg), script: script{data}}
	s.echo()
	if s.script.next(2) == 1 {
		s.onMessage = func(c *recorder, data string, _ bool) {
			if strings.HasPrefix(data, "a") {
				c.s.Close(ReasonForcedClose)
			}
		}
	}
	for len(s.script.b) > 0 {
		s.step()
	}
	s.end()
}

// Whatever is sent, in whatever order: no panic, no broken answer, and nothing stays behind.
func FuzzConn(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x00\x00\x08"))
	f.Add(bytes.Repeat([]byte{1, 0, 0, 0, 8, 6, 0, 0, 2, 0, 1}, 40))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 4096 {
			return
		}
		runStorm(t, data)
	})
}

// Raw bytes on one connection, whole and in two pieces: the same answer, no panic, nothing left.
func FuzzBytes(f *testing.F) {
	f.Add([]byte(request("GET", base+"polling", "")), 10)
	f.Add([]byte(upgradeRequest("")+textFrame("4x")+frame(ws.OpClose, "")), 200)
	f.Add([]byte(request("POST", "/x", "body")+request("HEAD", "/", "")), 70)
	f.Fuzz(func(t *testing.T, data []byte, at int) {
		feed := func(cut int) string {
			r := newRig(t, 1, Config{MaxPayload: 1000}).echo()
			p := r.dial(0).write(string(data[:cut])).write(string(data[cut:]))
			out := string(p.pull())
			for _, c := range r.clients {
				out = strings.ReplaceAll(out, c.s.sid, "SID")
			}
			p.cut()
			r.leap(80*time.Second, 10*time.Second)
			r.wantEmpty()
			return strings.ReplaceAll(out, "HTTP/1.1 100 Continue\r\n\r\n", "")
		}
		whole := feed(len(data))
		if split := feed(min(max(at, 0), len(data))); split != whole {
			t.Fatalf("cut at %d:\n%q\nwhole:\n%q", at, split, whole)
		}
	})
}
