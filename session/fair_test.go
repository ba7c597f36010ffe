package session

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/codec/wsframe"
	"github.com/seed58c87869/siren/poller/stream"
)

// hostile is a client that gives a loop more to do than one turn has time for.
type hostile struct {
	name string
	// begin opens the client's connection, whose loop is that one, for a session of loop 0, and returns what it sends.
	begin func(r *rig, loop int) (p *peer, input string)
	// messages is how many the application gets in the end, and turns how many it takes at least.
	messages, turns int
	// local: there is nothing that another loop could have.
	local bool
}

const bombs = 60

// deflating opens a WebSocket that compresses.
func deflating(r *rig, loop int) *peer {
	if loop == 0 {
		return r.openDeflate(0, "", noTakeover, offerField)
	}
	return r.openDeflate(loop, r.poll(0), noTakeover, offerField).text("2probe").text("5")
}

func plainWS(r *rig, loop int) *peer {
	if loop == 0 {
		return r.openWS(0, "")
	}
	return r.openWS(loop, r.poll(0)).text("2probe").text("5")
}

// posting polls, and posts a body on a connection of that loop.
func posting(r *rig, loop int, body string) (*peer, string) {
	sid := r.poll(0)
	return r.dial(loop), postRequest(sid, body)
}

var hostiles = []hostile{
	{"messages that inflate a thousandfold", func(r *rig, loop int) (*peer, string) {
		one := packedText("4" + strings.Repeat("0", DefaultMaxPayload-1))
		return deflating(r, loop), strings.Repeat(one, bombs)
	}, bombs, bombs, false},
	{"messages that take long to inflate and are empty", func(r *rig, loop int) (*peer, string) {
		one := packedFrame(ws.OpBinary, emptyBlocks(900<<10))
		return deflating(r, loop), strings.Repeat(one, 4)
	}, 4, 4, false},
	{"small messages that inflate to more", func(r *rig, loop int) (*peer, string) {
		one := packedText("4" + strings.Repeat("0", 60_000))
		return deflating(r, loop), strings.Repeat(one, 500)
	}, 500, 50, false},
	{"tiny messages", func(r *rig, loop int) (*peer, string) {
		return plainWS(r, loop), strings.Repeat(textFrame("4"), 10_000)
	}, 10_000, 10, false},
	{"pings", func(r *rig, loop int) (*peer, string) {
		return plainWS(r, loop), strings.Repeat(frame(ws.OpPing, ""), 10_000) + textFrame("4")
	}, 1, 10, false},
	{"pieces of a message", func(r *rig, loop int) (*peer, string) {
		piece := string(wsframe.AppendMaskedFrame(nil, ws.OpContinuation, false, [4]byte{}, nil))
		first := string(wsframe.AppendMaskedFrame(nil, ws.OpText, false, [4]byte{}, []byte("4")))
		one := first + strings.Repeat(piece, 500) + frame(ws.OpContinuation, "")
		return plainWS(r, loop), strings.Repeat(one, 20)
	}, 20, 10, false},
	{"a body of very many packets", func(r *rig, loop int) (*peer, string) {
		return posting(r, loop, strings.Repeat("4\x1e", 16_383)+"4")
	}, 16_384, 16, false},
	{"requests one behind the other", func(r *rig, loop int) (*peer, string) {
		return r.dial(loop), strings.Repeat("GET /no HTTP/1.1\r\nHost: x\r\n\r\n", 2000)
	}, 0, 10, true},
}

// emptyBlocks is about n bytes that inflate to nothing: empty stored blocks (RFC 1951, section 3.2.4).
func emptyBlocks(n int) []byte { return []byte(strings.Repeat("\x00\x00\x00\xff\xff", n/5) + "\x00") }

// A hostile client's input is handled in turns of bounded length, behind each of which another client is served at
// once. In the end all of it is handled.
func TestHostileClientsTakeTurns(t *testing.T) {
	for _, h := range hostiles {
		for loop := range 2 {
			if loop == 1 && h.local {
				continue
			}
			t.Run(fmt.Sprintf("%s/loop%d", h.name, loop), func(t *testing.T) { h.run(t, loop) })
		}
	}
}

// run serves the hostile client until all is handled. Before each turn a client on either loop sends something, and
// must have its answer at once.
func (h *hostile) run(t *testing.T, loop int) {
	cfg := deflateOn
	cfg.MaxFragments = 1000
	r := newRig(t, 2, cfg)
	honest := []*peer{r.openWS(0, ""), r.openWS(1, "")}
	p, input := h.begin(r, loop)
	victim, count := r.last(), 0
	if h.messages == 0 {
		victim = nil
	}
	r.onMessage = func(c *recorder, data string, _ bool) {
		if c.got = nil; c == victim {
			count++
			return
		}
		c.s.Send(eio.NewMessage([]byte(data)), false)
	}
	check := func(what string) {
		t.Helper()
		for _, l := range r.loops {
			if most := int(stream.DefaultTurnTime + 200*time.Microsecond); l.Spent() > most {
				t.Fatalf("%s: %v of work in one turn", what, time.Duration(l.Spent()))
			}
		}
	}
	turns := 0
	for busy := true; busy; turns++ {
		busy = len(input) > 0
		if n := min(len(input), 64<<10); n > 0 && !p.conn.Holding() {
			p.conn.Feed([]byte(input[:n]))
			input = input[n:]
			check("input")
		}
		for _, c := range honest {
			c.conn.Feed([]byte(textFrame(fmt.Sprintf("4%d", turns))))
			c.wantFrames(fmt.Sprintf("t:4%d", turns))
		}
		for _, l := range r.loops {
			busy = l.RunTurn() > 0 || busy
			check("turn")
		}
		if turns > 100_000 {
			t.Fatal("no end")
		}
	}
	if count != h.messages || turns < h.turns || p.conn.Holding() || p.isClosed() {
		t.Fatalf("%d of %d messages in %d turns, held %v, closed %v", count, h.messages, turns, p.conn.Holding(), p.isClosed())
	}
}

// What is left of a body for later turns does not lie in the loop's read buffer.
func TestPostsThatTakeTurnsOwnTheirBody(t *testing.T) {
	r := newRig(t, 1, Config{})
	p, input := posting(r, 0, strings.Repeat("4a\x1e", 4999)+"4a")
	buffer := []byte(input)
	p.conn.FeedInPlace(buffer)
	if n := len(r.last().got); n == 0 || n == 5000 {
		t.Fatalf("%d messages in the first turn", n)
	}
	for i := range buffer {
		buffer[i] = '!'
	}
	r.run()
	p.want(200, "ok")
	if got := strings.Join(r.last().got, ""); got != strings.Repeat("a", 5000) {
		t.Errorf("%d messages, %d of them right", len(r.last().got), strings.Count(got, "a"))
	}
}

// A session that ends while a body is handled in turns takes nothing more of it, and answers it once.
func TestPostsThatTakeTurnsEndWithTheirSession(t *testing.T) {
	both(t, func(t *testing.T, loop int) {
		r := newRig(t, 2, Config{})
		p, input := posting(r, loop, strings.Repeat("4a\x1e", 4999)+"4a")
		p.conn.Feed([]byte(input))
		r.loops[0].RunTurn()
		n := len(r.last().got)
		if n == 0 || n == 5000 {
			t.Fatalf("%d messages in the first turn", n)
		}
		r.loops[0].Do(func() { r.last().s.abort(ReasonForcedClose) })
		r.run()
		p.want(400, errorBody(eio.BadRequest))
		if p.wantNothing(); len(r.last().got) != n {
			t.Errorf("%d messages after the end", len(r.last().got)-n)
		}
	})
}

// The ending of an engine discards nothing of what was read before, however many turns it takes, and waits for nothing
// that comes later.
func TestStopIntakeWaitsForWhatTakesTurns(t *testing.T) {
	for _, h := range hostiles {
		for loop := range 2 {
			if loop == 1 && h.local || h.messages == 0 {
				continue
			}
			t.Run(fmt.Sprintf("%s/loop%d", h.name, loop), func(t *testing.T) {
				cfg := deflateOn
				cfg.MaxFragments = 1000
				r := newRig(t, 2, cfg)
				p, input := h.begin(r, loop)
				victim, count := r.last(), 0
				r.onMessage = func(c *recorder, _ string, _ bool) { c.got = nil; count++ }
				p.conn.Feed([]byte(input))
				stopped := r.engine.StopIntake()
				turns := 0
				for isOpen(stopped) {
					for _, l := range r.loops {
						l.RunTurn()
					}
					if turns++; turns > 100_000 {
						t.Fatal("never")
					}
				}
				if count != h.messages {
					t.Errorf("%d of %d messages", count, h.messages)
				}
				if victim.s.ws != nil {
					if p.text("4late"); count != h.messages {
						t.Error("a message was handled after the end")
					}
				}
			})
		}
	}
}

func isOpen(c <-chan struct{}) bool {
	select {
	case <-c:
		return false
	default:
		return true
	}
}

// An engine with very many sessions ends them in many turns.
func TestCloseTakesTurns(t *testing.T) {
	r := newRig(t, 1, Config{})
	const sessions = 2000
	for range sessions {
		r.openWS(0, "")
	}
	r.engine.Close(ReasonServerShutdown)
	turns := 0
	for ; r.engine.Sessions() > 0; turns++ {
		before := r.engine.Sessions()
		r.loops[0].RunTurn()
		if n := before - r.engine.Sessions(); n == 0 || n > int(stream.DefaultTurnTime)/closeWork+stream.EntryWork/closeWork {
			t.Fatalf("turn %d: %d sessions ended", turns, n)
		}
	}
	if turns < sessions*closeWork/(int(stream.DefaultTurnTime)+stream.EntryWork) {
		t.Errorf("%d turns", turns)
	}
}

// Looking at very many sessions takes many turns, and each session is counted once.
func TestLeftTakesTurns(t *testing.T) {
	r := newRig(t, 1, Config{})
	const sessions = 6000
	for range sessions {
		r.openWS(0, "")
	}
	var left []Left
	r.engine.Left(func(l Left) { left = append(left, l) })
	turns := 0
	for ; len(left) == 0; turns++ {
		if r.loops[0].RunTurn() == 0 {
			t.Fatal("no end")
		}
	}
	if most := sessions * lookWork / int(stream.DefaultTurnTime); turns < most {
		t.Errorf("%d turns, want %d at least", turns, most)
	}
	if len(left) != 1 || left[0] != (Left{Sessions: sessions}) {
		t.Errorf("left: %+v", left)
	}
}

// The answers to very many polling clients that one broadcast is for take many turns.
func TestAnswersTakeTurns(t *testing.T) {
	r := newRig(t, 1, Config{})
	const clients = 1000
	var polls []*peer
	for range clients {
		sid := r.poll(0)
		polls = append(polls, r.get(0, sid))
	}
	r.run()
	r.loops[0].Do(func() {
		for _, c := range r.clients {
			c.s.Send(eio.NewMessage([]byte("x")), false)
		}
	})
	turns, answered := 0, 0
	for ; answered < clients; turns++ {
		if r.loops[0].RunTurn() == 0 {
			t.Fatalf("%d answered", answered)
		}
		before := answered
		answered = 0
		for _, p := range polls {
			if len(p.conn.Frames()) > 0 {
				answered++
			}
		}
		if most := (int(stream.DefaultTurnTime)+stream.EntryWork)/answerWork + 1; answered-before > most {
			t.Fatalf("%d answers in one turn, %d fit", answered-before, most)
		}
	}
	for _, p := range polls {
		p.want(200, "4x")
	}
}
