package session

import (
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/seed58c87869/siren/codec/eio"
)

// Two loops on two goroutines: requests of one for sessions of the other, while those send, close and end. The race
// detector watches; every request is answered at most once, and nothing is left.
func TestForeignRequestsRace(t *testing.T) {
	const rounds = 300
	r := newRig(t, 2, Config{CORS: CORS{Origins: []string{"*"}}})
	sids := make(chan string, 1)
	var done atomic.Bool
	var group sync.WaitGroup
	group.Add(1)
	go func() { // the sessions' loop
		defer group.Done()
		defer done.Store(true)
		rnd := rand.New(rand.NewPCG(1, 1))
		for range rounds {
			c := r.dial(0).conn
			c.Feed([]byte(request("GET", base+"polling", "")))
			s := r.last().s
			sids <- s.sid
			for range 1 + rnd.IntN(60) {
				r.loops[0].RunUntilIdle()
				r.loops[0].Do(func() {
					switch rnd.IntN(30) {
					case 0:
						s.Close(ReasonForcedClose)
					case 1:
						s.abort(ReasonPingTimeout)
					default:
						s.Send(eio.NewMessage([]byte("x")), false)
					}
				})
			}
			r.loops[0].Do(func() { s.abort(ReasonForcedClose) })
			c.PeerClose(io.EOF)
		}
	}()
	rnd := rand.New(rand.NewPCG(2, 2))
	answers, asked := 0, 0
	sid := <-sids
	for !done.Load() {
		select {
		case sid = <-sids:
		default:
		}
		p := r.dial(1)
		text := []string{getRequest(sid), postRequest(sid, "4x\x1e4y"), postRequest(sid, "2"), getRequest(sid) + postRequest(sid, "4z")}[rnd.IntN(4)]
		p.conn.FeedSplit([]byte(text), 1+rnd.IntN(len(text)))
		for range rnd.IntN(20) {
			r.loops[1].RunUntilIdle()
		}
		if rnd.IntN(2) == 0 {
			p.conn.PeerClose(io.EOF)
		}
		asked += 2
		for p.answer() != nil {
			answers++
		}
		p.conn.PeerClose(io.EOF)
	}
	group.Wait()
	r.run()
	if answers > asked || answers == 0 {
		t.Errorf("%d answers", answers)
	}
	r.wantEmpty()
}
