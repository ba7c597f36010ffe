package session

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gobwas/ws"

	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/codec/wsframe"
	"github.com/seed58c87869/siren/poller/memory"
)

// budget gives the clients of the rig a budget. It is to be there before the first of them.
func (r *rig) budget(limit int64) *memory.Budget {
	b := memory.NewBudget(limit, nil)
	for _, l := range r.loops {
		b.Join(l.Memory(), l.PostFunc)
	}
	return b
}

// wantHeld fails unless clients hold that many bytes, and what the account adds to them.
func (r *rig) wantHeld(b *memory.Budget, least, most int64) {
	r.t.Helper()
	if held := b.Held(); held < least || held > most {
		r.t.Fatalf("%d bytes held, want %d to %d", held, least, most)
	}
}

// wantNoneHeld fails when the account is not empty.
func (r *rig) wantNoneHeld(b *memory.Budget) {
	r.t.Helper()
	r.wantHeld(b, 0, 0)
	for i, l := range r.loops {
		if n := l.Memory().Listed(); n != 0 {
			r.t.Fatalf("%d holders listed on loop %d", n, i)
		}
	}
}

const noLimit = int64(1) << 40

// The queue of a polling session counts until a GET fetches it, also when a GET takes a part of a packet.
func TestUnfetchedPacketsCount(t *testing.T) {
	both(t, func(t *testing.T, loop int) {
		r := newRig(t, 2, Config{MaxPayload: 20_000})
		b := r.budget(noLimit)
		sid := r.poll(0)
		c := r.last()
		c.send(message(100), false)
		r.wantNoneHeld(b) // it is short
		for range 5 {
			c.send(message(10_000), false)
		}
		c.send(eio.Link(message(10), eio.NewBinary(make([]byte, 9000)), eio.NewBinary(make([]byte, 9001))), false)
		r.wantHeld(b, 68_000, 70_000)
		last := b.Held()
		for range 20 {
			r.get(loop, sid).answer()
			held := b.Held()
			if held >= last {
				t.Fatalf("%d bytes held after a GET, %d before", held, last)
			}
			if last = held; held == 0 {
				break
			}
		}
		r.wantNoneHeld(b)
	})
}

// However a session ends, or goes on, its queue does not count any more.
func TestUnfetchedPacketsOfEndedSessions(t *testing.T) {
	for name, end := range map[string]func(r *rig, sid string){
		"close packet":      func(r *rig, sid string) { r.post(0, sid, "1") },
		"parse error":       func(r *rig, sid string) { r.post(0, sid, "x") },
		"closed and gone":   func(r *rig, _ string) { r.loops[0].Do(func() { r.last().s.Close(ReasonForcedClose) }); r.advance(60e9) },
		"ping timeout":      func(r *rig, _ string) { r.advance(60e9) },
		"evicted":           func(r *rig, _ string) { r.loops[0].Do(r.last().s.Evict) },
		"upgrade":           func(r *rig, sid string) { r.openWS(0, sid).text("2probe").text("5").pull() },
		"upgrade elsewhere": func(r *rig, sid string) { r.openWS(1, sid).text("2probe").text("5").pull() },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, 2, Config{})
			b := r.budget(noLimit)
			sid := r.poll(0)
			for range 5 {
				r.last().send(message(10_000), false)
			}
			r.wantHeld(b, 50_000, 51_000)
			end(r, sid)
			r.run()
			r.wantNoneHeld(b)
		})
	}
}

// A broadcast to polling clients counts once.
func TestUnfetchedBroadcastCountsOnce(t *testing.T) {
	r := newRig(t, 1, Config{})
	b := r.budget(4 << 20)
	for range 100 {
		r.poll(0)
	}
	f := message(900_000)
	for _, c := range r.clients {
		c.send(f, false)
	}
	r.run()
	r.wantHeld(b, 900_000, 910_000)
	for _, c := range r.clients {
		c.wantClosed()
	}
}

// Clients that do not read, or do not fetch, end with a transport error when all together hold too much, those first
// that hold the most.
func TestBudgetEndsSessions(t *testing.T) {
	fill := func(t *testing.T, r *rig, b *memory.Budget, idle []*recorder) {
		t.Helper()
		hogs := r.clients[len(idle):]
		for i := range 12 {
			for _, c := range hogs {
				c.s.Send(eio.NewMessage([]byte(strings.Repeat("x", 100_000+i))), false)
			}
			r.run()
		}
		ended := 0
		for _, c := range hogs {
			if len(c.closed) > 0 {
				ended++
				c.wantClosed(ReasonTransportError)
			}
		}
		if ended == 0 || ended == len(hogs) || b.Evicted() != int64(ended) {
			t.Errorf("%d of %d ended, %d counted", ended, len(hogs), b.Evicted())
		}
		r.wantHeld(b, 1, 4<<20)
		for _, c := range idle {
			c.wantClosed()
		}
		for _, c := range r.clients {
			r.loops[0].Do(func() { c.s.Close(ReasonForcedClose) })
		}
		r.advance(120e9)
	}
	t.Run("polling", func(t *testing.T) {
		r := newRig(t, 1, Config{})
		b := r.budget(4 << 20)
		for range 5 {
			r.poll(0)
			r.last().send(message(9000), false)
		}
		idle := r.clients
		for range 10 {
			r.poll(0)
		}
		fill(t, r, b, idle)
		r.wantNoneHeld(b)
	})
	for loop, name := range []string{"WebSocket", "WebSocket of another loop"} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, 2, Config{})
			r.setQueueBytesMax(8 << 20)
			b := r.budget(4 << 20)
			var peers []*peer
			open := func() {
				p := r.openWS(loop, r.poll(0)).text("2probe")
				p.text("5").pull()
				peers = append(peers, p)
			}
			for range 5 {
				open()
			}
			idle := r.clients
			for range 10 {
				open()
				peers[len(peers)-1].conn.Stall(true)
			}
			fill(t, r, b, idle)
			for _, p := range peers {
				p.cut()
			}
			r.wantNoneHeld(b)
		})
	}
}

// The fragments of a message that is not whole count, and who holds too many of them is ended.
func TestFragmentsCount(t *testing.T) {
	part := func(op ws.OpCode, fin bool, n int) string {
		return string(wsframe.AppendMaskedFrame(nil, op, fin, [4]byte{1, 2, 3, 4}, make([]byte, n)))
	}
	wsPeers(t, Config{}, func(t *testing.T, r *rig, p *peer) {
		b := r.budget(noLimit)
		p.write(part(ws.OpBinary, false, 1000))
		r.wantHeld(b, 1000, 1000)
		p.write(part(ws.OpContinuation, false, 100_000))
		r.wantHeld(b, 101_000, 101_000)
		p.write(part(ws.OpContinuation, true, 10))
		r.run()
		r.wantNoneHeld(b)
		p.write(part(ws.OpBinary, false, 100_000))
		p.cut()
		r.run()
		r.wantNoneHeld(b)
	})
	wsPeers(t, Config{}, func(t *testing.T, r *rig, p *peer) {
		b := r.budget(500_000)
		p.write(part(ws.OpBinary, false, 400_000))
		p.write(part(ws.OpContinuation, false, 200_000))
		r.run()
		r.last().wantClosed(ReasonTransportError)
		if !p.isClosed() || b.Evicted() != 1 {
			t.Errorf("closed %v, %d evicted", p.isClosed(), b.Evicted())
		}
		r.wantNoneHeld(b)
	})
}

// What was posted to a session of another loop counts until it is handled there.
func TestPostedMessagesCount(t *testing.T) {
	r := newRig(t, 2, Config{InboundBytes: 1 << 20})
	b := r.budget(noLimit)
	p := r.openWS(1, r.poll(0)).text("2probe")
	p.text("5").pull()
	send := func(n int) { p.conn.Feed([]byte(textFrame("4" + strings.Repeat("x", n)))) }
	send(50_000)
	r.wantHeld(b, 50_000, 50_200)
	r.run()
	r.wantNoneHeld(b)
	send(900_000)
	send(900_000) // above the bound: the next one waits
	send(900_000)
	r.wantHeld(b, 2_700_000, 4_000_000)
	r.run()
	if len(r.last().got) != 4 {
		t.Errorf("%d of 4 messages", len(r.last().got))
	}
	r.wantNoneHeld(b)
}

// A message that is inflated in several turns counts meanwhile, and who has it may be ended for it.
func TestInflatedMessagesCount(t *testing.T) {
	both(t, func(t *testing.T, loop int) {
		r := newRig(t, 2, deflateOn)
		b := r.budget(noLimit)
		p, other := deflating(r, loop), deflating(r, loop)
		begin := func() {
			r.loops[loop].Do(func() {
				p.conn.Feed([]byte(longText("a")))
				other.conn.Feed([]byte(longText("b")))
			})
			r.wantHeld(b, 2000, 2_000_000)
		}
		begin()
		r.run()
		r.wantNoneHeld(b)
		begin()
		r.loops[loop].Do(func() { r.clients[0].s.ws.Evict() })
		r.run()
		if r.wantNoneHeld(b); r.clients[0].names() != "a" || r.clients[1].names() != "bb" {
			t.Errorf("got %q and %q", r.clients[0].names(), r.clients[1].names())
		}
		r.clients[0].wantClosed(ReasonTransportError)
	})
}

// holder is the Holder of an inbox.
type holder struct {
	b       *Inbox
	m       *memory.Ledger
	evicted int
}

func (h *holder) Held() int {
	n := h.b.Counted()
	if n == 0 {
		h.m.Unlist(h)
	}
	return n
}

func (h *holder) Evict() { h.evicted += h.b.Shed() }

// Jobs that wait count, with the one that runs, while they are many bytes; shed ones do not run.
func TestInboxCounts(t *testing.T) {
	r := newRig(t, 1, Config{})
	b := r.budget(noLimit)
	m := r.loops[0].Memory()
	var inbox Inbox
	var running atomic.Int64
	lim := InboxLimits{Jobs: 100, Bytes: 1 << 20, Running: &running}
	h := &holder{b: &inbox, m: m}
	gate, entered := make(chan struct{}), make(chan struct{})
	var ran []string
	job := func(name string) Job {
		return jobFunc(func() {
			entered <- struct{}{}
			<-gate
			ran = append(ran, name)
		})
	}
	put := func(name string, n int) {
		if !inbox.PutCounted(job(name), n, &lim, m, h) {
			t.Fatal("full")
		}
	}
	put("a", 1000)
	<-entered
	r.wantNoneHeld(b) // few bytes
	put("b", 5000)
	put("c", 10_000)
	inbox.Put(jobFunc(func() { ran = append(ran, "shared") }), 100_000, &lim)
	inbox.PutAlways(jobFunc(func() { ran = append(ran, "always") }), &lim)
	r.wantHeld(b, 15<<10, 15<<10) // 16,000 in whole steps
	if m.Listed() != 1 {
		t.Error("not listed")
	}
	gate <- struct{}{}
	<-entered
	r.wantHeld(b, 14<<10, 14<<10)
	if n := inbox.Shed(); n != 1 {
		t.Errorf("%d shed", n)
	}
	r.wantHeld(b, 4<<10, 4<<10) // the one that runs
	gate <- struct{}{}
	waitIdle(t, &running)
	if got := fmt.Sprint(ran); got != "[a b shared always]" {
		t.Errorf("ran %s", got)
	}
	if inbox.Shed() != 0 || inbox.Counted() != 0 {
		t.Error("an idle inbox holds something")
	}
	h.Held()
	r.wantNoneHeld(b)
}

// A long first request counts as long as its session lives.
func TestLongFirstRequestCounts(t *testing.T) {
	r := newRig(t, 1, Config{})
	b := r.budget(noLimit)
	var noise strings.Builder // requests are kept packed
	for rnd := rand.New(rand.NewPCG(1, 2)); noise.Len() < 10_000; {
		noise.WriteByte(byte('!' + rnd.IntN(90)))
	}
	r.dial(0).write(request("GET", base+"polling", "", "X-Long: "+noise.String())).answer()
	r.wantHeld(b, 5_000, 10_500)
	held := b.Held()
	r.poll(0) // a short one does not
	r.wantHeld(b, held, held)
	for _, c := range r.clients {
		r.loops[0].Do(c.s.Evict)
	}
	r.wantNoneHeld(b)
}
