package session

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/seed58c87869/siren/codec/eio"
)

// modelClient behaves like the official client: one GET at a time, one POST at a time, an upgrade that pauses polling
// before "5". What it does next, and which loop has its turn, is chance.
type modelClient struct {
	*rig
	rnd  *rand.Rand
	sid  string
	c    *recorder
	dice int  // on which of the two loops new connections land: 0 home, 1 foreign, 2 any
	old  bool // it speaks protocol 3

	get, post, ws *peer
	open          bool // the WebSocket's 101 has come
	probed        bool // and its pong
	upgraded      bool
	wsOut         []byte // written to the WebSocket, not fed yet

	sent, served int      // messages each way
	got, want    []string // messages and attachments that came, and that were sent
}

func newModel(t testing.TB, seed uint64, dice int) *modelClient {
	cfg := Config{AllowEIO3: true, MaxPayload: 60, PingInterval: 400 * ms, PingTimeout: 300 * ms, UpgradeTimeout: 100 * time.Millisecond}
	m := &modelClient{rig: newRig(t, 2, cfg), rnd: rand.New(rand.NewPCG(seed, 1)), dice: dice, old: seed%3 == 0}
	if m.old {
		m.sid = m.rig.poll3(0, []string{"", "&b64=1"}[seed%2])
	} else {
		m.sid = m.rig.poll(0)
	}
	m.c = m.last()
	return m
}

func (m *modelClient) loop() int {
	if m.dice == 2 {
		return m.rnd.IntN(2)
	}
	return m.dice
}

// begin starts a request without letting any loop work.
func (m *modelClient) begin(text string) *peer {
	p := m.dial(m.loop())
	p.conn.FeedSplit([]byte(text), 1+m.rnd.IntN(200))
	return p
}

// step does one thing.
func (m *modelClient) step() {
	switch n := m.rnd.IntN(20); {
	case n < 6:
		m.loops[m.rnd.IntN(2)].RunUntilIdle()
	case n < 9:
		m.serve()
	case n < 13:
		m.say()
	case n < 15 && m.get == nil && !m.probed && !m.upgraded:
		m.get = m.begin(getRequest(m.sid))
	case n < 16 && m.ws == nil:
		m.ws = m.begin(upgradeRequest(m.sid))
		m.wsOut = append(m.wsOut, textFrame("2probe")...)
	case n == 16 && m.ws != nil && !m.upgraded && m.rnd.IntN(4) == 0:
		m.dropWS()
	case n == 17 && m.ws != nil:
		m.feedWS(1 + m.rnd.IntN(len(m.wsOut)+1))
	case n == 18:
		for _, l := range m.loops {
			l.Advance(ms)
		}
	}
	m.look()
}

// serve sends from the server: a message, or one with attachments.
func (m *modelClient) serve() {
	m.loops[0].Do(func() {
		for range 1 + m.rnd.IntN(3) {
			head := fmt.Sprintf("s%d", m.served)
			f := eio.NewMessage([]byte(head))
			m.want = append(m.want, head)
			if m.rnd.IntN(4) == 0 {
				eio.Link(f, eio.NewBinary([]byte(head+".1")), eio.NewBinary([]byte(head+".2")))
				m.want = append(m.want, head+".1", head+".2")
			}
			if st := m.c.s.Send(f, false); st != Queued {
				m.t.Fatalf("send: %v, closed %v", st, m.c.closed)
			}
			m.served++
		}
	})
}

// say sends from the client, on the transport in use. While it waits for the pong of its probe it may still poll and
// post.
func (m *modelClient) say() {
	switch {
	case m.upgraded:
		m.wsOut = append(m.wsOut, textFrame(fmt.Sprintf("4c%d", m.sent))...)
		m.sent++
	case m.post == nil && !m.probed:
		packets := []string{fmt.Sprintf("4c%d", m.sent)}
		if m.sent++; m.rnd.IntN(2) == 0 {
			packets = append(packets, fmt.Sprintf("4c%d", m.sent))
			m.sent++
		}
		m.post = m.begin(postRequest(m.sid, m.body(packets)))
	}
}

func (m *modelClient) body(packets []string) string {
	if !m.old {
		return strings.Join(packets, "\x1e")
	}
	body := ""
	for _, p := range packets {
		body += fmt.Sprintf("%d:%s", len(p), p)
	}
	return body
}

func (m *modelClient) feedWS(n int) {
	n = min(n, len(m.wsOut))
	m.ws.conn.Feed(m.wsOut[:n])
	m.wsOut = m.wsOut[n:]
}

func (m *modelClient) dropWS() {
	m.ws.conn.PeerClose(io.EOF)
	m.ws, m.wsOut, m.open, m.probed = nil, nil, false, false
}

// look takes what has come.
func (m *modelClient) look() {
	if m.get != nil {
		if a := m.get.answer(); a != nil {
			m.get = nil
			m.packets(a)
		}
	}
	if m.post != nil {
		if a := m.post.answer(); a != nil {
			m.post = nil
			if a.StatusCode != 200 {
				m.t.Fatalf("POST: %v", a)
			}
		}
	}
	if m.ws != nil {
		m.lookWS()
	}
	if m.probed && !m.upgraded && m.get == nil && m.post == nil && m.rnd.IntN(3) == 0 {
		// Polling is paused.
		m.wsOut = append(m.wsOut, textFrame("5")...)
		m.upgraded = true
	}
}

func (m *modelClient) packets(a *response) {
	if a.StatusCode != 200 {
		m.t.Fatalf("GET: %v", a)
	}
	payload := eio.NewPayload([]byte(a.body), 1000)
	if m.old {
		payload = eio.NewPayload3([]byte(a.body), a.Header.Get("Content-Type") == typeBinary, 1000)
	}
	for {
		p, ok, err := payload.Next()
		if err != nil {
			m.t.Fatalf("%v in %q", err, a.body)
		} else if !ok {
			return
		}
		switch p.Type {
		case eio.Message:
			m.got = append(m.got, string(p.Data))
		case eio.Ping:
			m.pong()
		case eio.Noop:
		default:
			m.t.Fatalf("packet %v %q", p.Type, p.Data)
		}
	}
}

// pong answers a ping at once, on whatever transport, and lets it arrive.
func (m *modelClient) pong() {
	if m.upgraded {
		m.wsOut = append(m.wsOut, textFrame("3")...)
		m.feedWS(len(m.wsOut))
		return
	}
	m.loops[0].Do(func() { m.c.s.receive(eio.Packet{Type: eio.Pong}) })
}

func (m *modelClient) lookWS() {
	if !m.open {
		in := m.ws.pull()
		end := bytes.Index(in, []byte("\r\n\r\n"))
		if end < 0 {
			return
		}
		resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(in)), nil)
		if err != nil || resp.StatusCode != 101 {
			m.t.Fatalf("upgrade: %q", in)
		}
		m.ws.in, m.open = in[end+4:], true
	}
	for f := m.ws.next(); f != ""; f = m.ws.next() {
		switch {
		case f == "t:3probe":
			m.probed = true
		case f == "t:2":
			m.pong()
		case strings.HasPrefix(f, "close:") && !m.upgraded:
			// It took too long, or came while another one probed.
			m.dropWS()
			return
		case strings.HasPrefix(f, "t:4"):
			m.got = append(m.got, f[3:])
		case strings.HasPrefix(f, "b:"):
			if m.old {
				f = strings.Replace(f, "\x04", "", 1)
			}
			m.got = append(m.got, f[2:])
		default:
			m.t.Fatalf("frame %q", f)
		}
	}
}

// finish lets everything arrive and compares.
func (m *modelClient) finish() {
	for range 40 {
		m.run()
		m.look()
		if !m.upgraded && m.get == nil && !m.probed {
			m.get = m.begin(getRequest(m.sid))
		}
		if m.ws != nil {
			m.feedWS(len(m.wsOut))
		}
	}
	if len(m.c.got) != m.sent {
		m.t.Fatalf("the server got %d of %d messages", len(m.c.got), m.sent)
	}
	for i, g := range m.c.got {
		if g != fmt.Sprintf("c%d", i) {
			m.t.Fatalf("message %d of the client is %q", i, g)
		}
	}
	if fmt.Sprint(m.got) != fmt.Sprint(m.want) {
		m.t.Fatalf("the client got %q, want %q", m.got, m.want)
	}
	m.c.wantClosed()
}

// Whatever the order of events, an upgrade loses, duplicates and reorders nothing.
func TestUpgradeModel(t *testing.T) {
	seeds := uint64(600)
	if testing.Short() {
		seeds = 60
	}
	upgraded, retried := 0, uint64(0)
	for dice := range 3 {
		for seed := range seeds {
			m := newModel(t, seed, dice)
			func() {
				defer func() {
					if t.Failed() {
						t.Logf("seed %d, placement %d", seed, dice)
					}
				}()
				for range 400 {
					m.step()
				}
				m.finish()
			}()
			if m.upgraded {
				upgraded++
			}
			retried += m.engine.Stats().UpgradeFailed
		}
	}
	t.Logf("%d of %d clients upgraded, %d upgrades failed on the way", upgraded, 3*seeds, retried)
	if upgraded == 0 || retried == 0 {
		t.Error("the model tests nothing")
	}
}
