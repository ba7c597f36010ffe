package server_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed58c87869/siren/poller/pollertest/netns"
	"github.com/seed58c87869/siren/server"
)

// soakClient is a client whose connection is cut again and again, with the streams of events that it is for: each
// stream is numbered from 0 by one goroutine, so a gap, a repetition and a wrong order show.
type soakClient struct {
	lost
	t    *testing.T
	srv  *server.Server
	rng  *rand.Rand
	user string
	// next are the numbers that are due; a stream is not there before the first event of a new socket.
	next map[string]int
	// recovered and fresh count the connections.
	recovered, fresh, events int
}

// run connects and is cut until stop, then stays until the last event.
func (c *soakClient) run(stop <-chan struct{}, total func(stream string) int) {
	for {
		conn := dial(c.t, c.srv)
		if c.pid == "" {
			conn.send(fmt.Sprintf(`0{"user":%q}`, c.user))
		} else {
			conn.send(fmt.Sprintf(`0{"pid":%q,"offset":%q,"user":%q}`, c.pid, c.offset, c.user))
		}
		last := false
		select {
		case <-stop:
			last = true
		default:
		}
		if done := c.read(conn, last, total); done || c.t.Failed() {
			_ = conn.conn.Close()
			return
		}
		_ = conn.conn.Close()
		if c.rng.IntN(2) == 0 {
			time.Sleep(time.Duration(c.rng.IntN(20)) * time.Millisecond) // it is away for a moment
		}
	}
}

// read takes what comes, up to a random moment unless it is the last connection. It is true at the last event.
func (c *soakClient) read(conn *client, last bool, total func(stream string) int) (done bool) {
	for left := 1 + c.rng.IntN(400); last || left > 0; left-- {
		select {
		case m, ok := <-conn.in:
			if !ok {
				return false
			}
			if c.take(m.text) {
				c.finish(total)
				return true
			}
		case <-time.After(patience):
			c.t.Errorf("%s: nothing comes", c.user)
			return true
		}
	}
	return false
}

// take takes one packet; it is true for the last event.
func (c *soakClient) take(text string) bool {
	if m := connectPacket.FindStringSubmatch(text); m != nil {
		if m[2] != c.pid {
			// A new socket: what it gets begins somewhere.
			c.fresh++
			c.id, c.pid, c.offset = m[1], m[2], ""
			clear(c.next)
		} else if c.recovered++; m[1] != c.id {
			c.t.Errorf("%s: %s came back as %s", c.user, c.id, m[1])
		}
		return false
	}
	var e []any
	if !strings.HasPrefix(text, "2[") || json.Unmarshal([]byte(text[1:]), &e) != nil {
		c.t.Errorf("%s got %q", c.user, text)
		return true
	}
	c.offset, _ = e[len(e)-1].(string)
	name := e[0].(string)
	switch name {
	case "end":
		return true
	case "volatile":
		return false
	}
	c.events++
	n := int(e[1].(float64))
	if want, known := c.next[name]; known && n != want {
		c.t.Errorf("%s: %s %d instead of %d, after %d recovered and %d new connections", c.user, name, n, want, c.recovered, c.fresh)
		return true
	}
	c.next[name] = n + 1
	return false
}

// finish compares where the streams ended.
func (c *soakClient) finish(total func(stream string) int) {
	for stream, n := range c.next {
		if want := total(stream); n != want {
			c.t.Errorf("%s: %s ended at %d instead of %d", c.user, stream, n, want)
		}
	}
}

// Clients are cut at random moments, among thousands of events for all, for their rooms and for themselves: each event
// comes once, in order, or the client is a new one. SIREN_SOAK=n takes n times as long.
func TestRecoverySoak(t *testing.T) {
	for name, test := range map[string]struct {
		limits server.Recovery
		// patience is that of the heartbeat; 0 is long.
		patience time.Duration
		// least is the share of connections that come back, in percent.
		least int
	}{
		"enough is kept": {server.Recovery{MaxDisconnection: time.Minute}, 0, 20},
		"little is kept": {server.Recovery{MaxDisconnection: time.Minute, MaxPackets: 60}, 0, 0},
		"few are kept":   {server.Recovery{MaxDisconnection: time.Minute, MaxSessions: 3}, 0, 0},
		"short absences": {server.Recovery{MaxDisconnection: 5 * time.Millisecond}, 0, 0},
		"fast heartbeat": {server.Recovery{MaxDisconnection: 100 * time.Millisecond}, 200 * time.Millisecond, 0},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := server.Config{Loops: 3, Recovery: test.limits, PingInterval: 30 * time.Millisecond, PingTimeout: cmp.Or(test.patience, 5*time.Second)}
			soakRecovery(t, cfg, test.least, time.Duration(netns.Soak())*700*time.Millisecond)
		})
	}
}

func soakRecovery(t *testing.T, cfg server.Config, least int, d time.Duration) {
	const users = 6
	srv := start(t, cfg, func(srv *server.Server) {
		srv.Of("/").OnConnect(func(_ context.Context, s *server.Socket) error {
			var auth struct{ User string }
			if err := s.Handshake().Auth(&auth); err != nil || s.Recovered() {
				if s.Recovered() && len(s.Rooms()) != 3 {
					t.Errorf("%s came back in %q", auth.User, s.Rooms())
				}
				return err
			}
			return s.Join("room", "user "+auth.User)
		})
	})
	stop := make(chan struct{})
	streams := newStreams(t, srv.Of("/"), users)
	var reading sync.WaitGroup
	clients := make([]*soakClient, users)
	for i := range clients {
		c := &soakClient{
			t: t, srv: srv, rng: rand.New(rand.NewPCG(uint64(i), 9)), user: fmt.Sprint(i), next: map[string]int{},
		}
		clients[i] = c
		reading.Go(func() { c.run(stop, streams.total) })
	}
	var emitting sync.WaitGroup
	for _, s := range streams {
		emitting.Go(func() { s.run(stop) })
	}
	time.Sleep(d)
	close(stop)
	emitting.Wait()
	// The last event is for those that are there, so it is emitted until all have got it.
	left := make(chan struct{})
	go func() { reading.Wait(); close(left) }()
	for done := false; !done; {
		_, _ = srv.Emit("end")
		select {
		case <-left:
			done = true
		case <-time.After(5 * time.Millisecond):
		}
	}
	recovered, fresh, events := 0, 0, 0
	for _, c := range clients {
		recovered, fresh, events = recovered+c.recovered, fresh+c.fresh, events+c.events
	}
	t.Logf("%d events; %d connections came back, %d were new", events, recovered, fresh)
	if recovered+fresh < users || 100*recovered < least*(recovered+fresh) {
		t.Errorf("%d of %d connections came back", recovered, recovered+fresh)
	}
}

// stream is one goroutine's events.
type stream struct {
	t    *testing.T
	ns   *server.Namespace
	name string
	room string // "" for all
	// every is how many turns there are for one event.
	every int
	sent  atomic.Int64
}

type streams []*stream

func newStreams(t *testing.T, ns *server.Namespace, users int) (all streams) {
	all = append(all, &stream{t: t, ns: ns, name: "all", every: 1}, &stream{t: t, ns: ns, name: "room", room: "room", every: 2})
	for i := range users {
		all = append(all, &stream{t: t, ns: ns, name: fmt.Sprint("user ", i), room: fmt.Sprint("user ", i), every: 3 + 20*i})
	}
	return all
}

// total returns how many events there were.
func (s streams) total(name string) int {
	for _, x := range s {
		if x.name == name {
			return int(x.sent.Load())
		}
	}
	return -1
}

// run emits until stop, with volatile events between, whose last argument is a string.
func (s *stream) run(stop <-chan struct{}) {
	o := s.ns.To()
	if s.room != "" {
		o = s.ns.To(s.room)
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for turn := 0; ; turn++ {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		if _, err := o.Volatile().Emit("volatile", "connected"); err != nil {
			s.t.Error(err)
			return
		}
		for range 5 {
			if turn++; turn%s.every != 0 {
				continue
			}
			if _, err := o.Emit(s.name, s.sent.Load()); err != nil {
				s.t.Error(err)
				return
			}
			s.sent.Add(1)
		}
	}
}
