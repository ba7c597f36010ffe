package server

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/seed58c87869/siren/poller/memory"
	"github.com/seed58c87869/siren/poller/pollertest"
	"github.com/seed58c87869/siren/server/internal/early"
)

// crowd is a server with many sockets on one loop, whose turns have little time.
type crowd struct {
	*Server
	loop    *pollertest.Loop
	conns   []*pollertest.Conn
	sockets []*Socket // by connection
	frames  int64     // of each connection so far
}

// crowdSize is enough for several turns of everything that is done to many sockets.
const crowdSize = 2000

func newCrowd(t *testing.T, cfg Config) *crowd {
	t.Helper()
	cfg.Loops = 1
	srv, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	c := &crowd{Server: srv, loop: pollertest.NewLoop(0)}
	accept, err := srv.attach([]eventLoop{c.loop}, nil)
	if err != nil {
		t.Fatal(err)
	}
	srv.root.On("hi", func(_ context.Context, m *Message) { c.sockets = append(c.sockets, m.Socket()) }, Inline())
	for range crowdSize {
		conn := pollertest.NewQuietConn(c.loop, nil)
		conn.SetReceiver(accept(conn, 0))
		conn.Feed(handshake)
		conn.Feed(packet("0"))
		c.loop.RunUntilIdle()
		conn.Feed(packet(`2["hi"]`))
		c.conns = append(c.conns, conn)
	}
	if len(c.sockets) != crowdSize {
		t.Fatalf("%d sockets", len(c.sockets))
	}
	c.frames = c.conns[0].FrameCount()
	c.loop.SetTurnTime(time.Nanosecond)
	return c
}

// turns lets the loop take turns until nothing is posted, calls between after each, and returns their number.
func (c *crowd) turns(t *testing.T, between func(turn int)) (n int) {
	t.Helper()
	for c.loop.RunTurn() > 0 {
		n++
		between(n)
		if n > 10*crowdSize {
			t.Fatal("no end")
		}
	}
	return n
}

// count returns how many connections meet a condition.
func (c *crowd) count(is func(conn *pollertest.Conn) bool) (n int) {
	for _, conn := range c.conns {
		if is(conn) {
			n++
		}
	}
	return n
}

// What is done to very many sockets takes several turns of their loop. In between another client is served, and what
// was posted later waits for the end.
func TestMembersAreServedInTurns(t *testing.T) {
	for _, c := range []struct {
		name  string
		begin func(c *crowd) error
		// done is for how many sockets it is done.
		done func(c *crowd) int
	}{
		{"broadcast", func(c *crowd) error { _, err := c.root.Emit("e"); return err }, gotFrame},
		{"broadcast to several rooms", func(c *crowd) error {
			_, err := c.root.To("half", "all").Emit("e")
			return err
		}, gotFrame},
		{"question", func(c *crowd) error {
			return c.root.all().EmitAck(context.Background(), "q", func([]Reply, error) {})
		}, gotFrame},
		{"joining", func(c *crowd) error { return c.root.SocketsJoin("r") }, func(c *crowd) int { return c.root.RoomCount("r") }},
		{"leaving", func(c *crowd) error { return c.root.SocketsLeave("all") }, func(c *crowd) int {
			return crowdSize - c.root.RoomCount("all")
		}},
		{"disconnecting", func(c *crowd) error { return c.root.DisconnectSockets(false) }, func(c *crowd) int {
			return crowdSize - c.root.SocketCount()
		}},
		{"closing connections", func(c *crowd) error { return c.root.DisconnectSockets(true) }, func(c *crowd) int {
			return crowdSize - c.root.SocketCount()
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cr := newCrowd(t, Config{})
			_ = cr.root.SocketsJoin("all")
			cr.turns(t, func(int) {})
			if n := cr.root.RoomCount("all"); n != crowdSize {
				t.Fatalf("%d in the room", n)
			}
			other := pollertest.NewConn(cr.loop, nil)
			other.SetReceiver(cr.host.Engine().Accept(other, 0))
			if err := c.begin(cr); err != nil {
				t.Fatal(err)
			}
			behind, last := false, c.done(cr)
			cr.loop.PostFunc(func() { behind = true })
			n := cr.turns(t, func(turn int) {
				done := c.done(cr)
				if done < crowdSize && (done <= last || behind) {
					t.Fatalf("turn %d: %d were done, and %d before; the next task has run: %v", turn, done, last, behind)
				}
				last = done
				other.Feed([]byte("GET /no HTTP/1.1\r\nHost: h\r\n\r\n"))
				if len(other.TakeFrames()) == 0 {
					t.Fatalf("turn %d: another client waits", turn)
				}
			})
			if last != crowdSize || !behind {
				t.Errorf("done for %d; the next task has run: %v", last, behind)
			}
			if n < 3 {
				t.Errorf("it took %d turns", n)
			}
		})
	}
}

// The sockets are those of the moment at which the loop came to the broadcast. Who joins while it takes its turns does
// not get it, who leaves does, and who ends takes nothing. What is emitted later arrives later, whomever it is for.
func TestMembersAreFixedForAllTurns(t *testing.T) {
	c := newCrowd(t, Config{})
	before := c.sockets[0]
	for _, s := range c.sockets[1:] {
		_ = s.Join("r")
	}
	c.turns(t, func(int) {})
	last := pollertest.NewConn(c.loop, nil)
	last.SetReceiver(c.host.Engine().Accept(last, 0))
	last.Feed(handshake)
	last.Feed(packet("0"))
	last.Feed(packet(`2["hi"]`))
	late := c.sockets[crowdSize]
	_ = late.Join("r")
	c.turns(t, func(int) {})
	last.TakeFrames()

	if _, err := c.root.To("r").Emit("first"); err != nil {
		t.Fatal(err)
	}
	turns := c.turns(t, func(turn int) {
		if turn > 1 {
			return
		}
		if len(last.Frames()) > 0 {
			t.Fatal("it is not the last one")
		}
		_ = before.Join("r")
		_ = late.Emit("second")
		_ = late.Leave("r")
		_, _ = c.root.Emit("third")
		for _, conn := range c.conns[len(c.conns)-5:] {
			conn.PeerClose(io.EOF)
		}
	})
	if turns < 3 {
		t.Fatalf("%d turns", turns)
	}
	got := string(last.Bytes())
	first, second, third := strings.Index(got, "first"), strings.Index(got, "second"), strings.Index(got, "third")
	if first < 0 || second < first || third < second {
		t.Errorf("the order is %q", got)
	}
	var joined int64
	for i, conn := range c.conns {
		switch n := conn.FrameCount() - c.frames; {
		case i == 0:
			joined = n
		case n != 2 && i < len(c.conns)-5:
			t.Errorf("connection %d got %d frames", i, n)
		}
	}
	if joined != 1 {
		t.Errorf("who joined behind the broadcast got %d frames, want the later one", joined)
	}
	if n := c.stats.late.Load(); n != 5 {
		t.Errorf("%d drops for sockets that have ended, want 5", n)
	}
}

// A question to very many that is given up while it takes its turns leaves nothing behind.
func TestQuestionEndsBetweenTurns(t *testing.T) {
	c := newCrowd(t, Config{})
	var missing *MissingError
	ctx, cancel := context.WithCancel(context.Background())
	over := make(chan error, 1)
	if err := c.root.all().EmitAck(ctx, "q", func(_ []Reply, err error) { over <- err }); err != nil {
		t.Fatal(err)
	}
	owing := func() (n int) {
		for _, s := range c.root.Sockets() {
			if s.pendingAcks() != 0 {
				n++
			}
		}
		return n
	}
	c.turns(t, func(turn int) {
		if turn != 1 {
			return
		}
		n := owing()
		if n == 0 || n == crowdSize {
			t.Fatalf("%d are asked in the first turn", n)
		}
		cancel()
		select {
		case err := <-over:
			if !errors.As(err, &missing) || missing.Clients != n {
				t.Errorf("%v, %d were asked", err, n)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("no end")
		}
	})
	if n := owing(); n != 0 || c.root.asks.Len() != 0 {
		t.Errorf("%d sockets owe an answer, %d questions", n, c.root.asks.Len())
	}
	if n := c.count(func(conn *pollertest.Conn) bool { return conn.FrameCount() == c.conns[0].FrameCount() }); n != crowdSize {
		t.Errorf("%d got the question", n)
	}
}

// A broadcast ends the session of a member that panics, and serves the others.
func TestBroadcastGoesOnBehindPanics(t *testing.T) {
	r := newRig(t, Config{})
	var conns []*pollertest.Conn
	for range 5 {
		conns = append(conns, r.dial())
		conns[len(conns)-1].Feed(packet("0"))
	}
	r.loop.run()
	all := r.srv.root.Sockets()
	all[2].phase, all[2].pending = phaseEntered, early.New(nil, nil) // which panics
	before := conns[0].FrameCount()
	func() {
		defer func() { _ = recover() }()
		_, _ = r.srv.root.Emit("e", strings.Repeat("x", memory.ListMin))
		r.loop.run()
	}()
	r.loop.run()
	got, closed := 0, 0
	for _, c := range conns {
		if over, _ := c.Closed(); over {
			closed++
		} else if c.FrameCount() == before+1 {
			got++
		}
	}
	if got != 4 || closed != 1 {
		t.Errorf("%d got it, %d are closed", got, closed)
	}
}

// gotFrame counts the connections that have one more frame.
func gotFrame(c *crowd) int {
	return c.count(func(conn *pollertest.Conn) bool { return conn.FrameCount() == c.frames+1 })
}
