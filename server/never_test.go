package server

import (
	"context"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/seed58c87869/siren/poller/pollertest"
	"github.com/seed58c87869/siren/room/cluster"
)

// never is the longest Duration, which programs write for "no limit".
const never = time.Duration(math.MaxInt64)

// aWhile is longer than every default.
const aWhile = 24 * time.Hour

// waitings are the times of Config that are this package's own, and what waits for each: begin makes it wait, and over
// reports whether the wait has ended.
var waitings = map[string]struct {
	opts  []Option
	begin func(t *testing.T, r *rig) (over func() bool)
}{
	"ConnectTimeout": {begin: func(_ *testing.T, r *rig) func() bool {
		c := r.dial()
		return func() bool { closed, _ := c.Closed(); return closed }
	}},
	"AttachmentTimeout": {begin: func(t *testing.T, r *rig) func() bool {
		c, s := r.join(t)
		c.Feed(packet(`51-["e",{"_placeholder":true,"num":0}]`))
		return func() bool { return !s.Connected() }
	}},
	"CloseTimeout": {begin: func(t *testing.T, r *rig) func() bool {
		_, s := r.join(t)
		answer, closed := make(chan struct{}), make(chan struct{})
		s.inbox.PutAlways(taskJob(func() { <-answer }), &r.srv.inbox)
		var closing sync.WaitGroup // a goroutine that this package starts is taken for a handler's
		closing.Go(func() { _ = r.srv.Close(); close(closed) })
		t.Cleanup(func() {
			close(answer)
			for waiting := true; waiting; time.Sleep(time.Millisecond) {
				r.loop.run()
				select {
				case <-closed:
					waiting = false
				default:
				}
			}
		})
		waitUntil(time.Second, func() bool { r.loop.run(); return !s.Connected() })
		return func() bool { return !s.Connected() }
	}},
	"AckTimeout": {begin: func(t *testing.T, r *rig) func() bool {
		_, s := r.join(t)
		return waitForAcks(t, r, Emission{s: s}, s.ns.To())
	}},
	"RequestTimeout": {opts: []Option{WithAdapter(mutePeer{})}, begin: func(t *testing.T, r *rig) func() bool {
		ended := make(chan error, 1)
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			_, err := r.srv.root.FetchSockets(ctx)
			ended <- err
		}()
		t.Cleanup(func() {
			cancel()
			<-ended
		})
		for asked := false; !asked && len(ended) == 0; time.Sleep(time.Millisecond) {
			r.loop.run()
			asked = r.questions() > 0 && r.loop.Wheel().Len() > 0
		}
		return func() bool {
			if len(ended) == 0 {
				return false
			}
			ended <- <-ended // for the cleanup
			return true
		}
	}},
}

// taskJob is a handler at work.
type taskJob func()

func (j taskJob) Do() { j() }

// waitForAcks makes a socket and a broadcast wait for acknowledgements.
func waitForAcks(t *testing.T, r *rig, e Emission, o Operator) (over func() bool) {
	t.Helper()
	ended := make(chan error, 2)
	one := e.EmitAck(t.Context(), "q", func(_ Reply, err error) { ended <- err })
	all := o.EmitAck(t.Context(), "q", func(_ []Reply, err error) { ended <- err })
	if one != nil || all != nil {
		t.Fatal(one, all)
	}
	r.loop.run()
	return func() bool { return len(ended) > 0 || r.loop.Wheel().Len() != 3 } // the ping's and these two
}

// mutePeer is the adapter of a node that has one neighbour, which never says anything.
type mutePeer struct{}

func (mutePeer) Node() string                                     { return "me" }
func (mutePeer) Subscribe(string, func(m *cluster.Message)) error { return nil }
func (mutePeer) Unsubscribe(string)                               {}
func (mutePeer) Publish(*cluster.Message) error                   { return nil }
func (mutePeer) Send(string, *cluster.Message) error              { return nil }
func (mutePeer) Close() error                                     { return nil }
func (mutePeer) Peers(context.Context, string) (cluster.Peers, error) {
	return cluster.Peers{Count: 1, Nodes: []string{"other"}}, nil
}

// The longest Duration means "never" for each time of Config. Those of the layers below are handed down as they are,
// and are those layers' to test.
func TestLongestDurationIsNever(t *testing.T) {
	for name := range pollertest.Durations(&Config{}) {
		t.Run(name, func(t *testing.T) {
			cfg := Config{Cookie: Cookie{Name: "io"}, CORS: CORS{Origins: []string{"*"}}}
			*pollertest.Durations(&cfg)[name] = never
			if name == "Recovery.MaxDisconnection" || name == "Recovery.RestoreTimeout" {
				return // TestRecoveryForEver, TestRecall
			}
			w, own := waitings[name]
			r := newRig(t, cfg, w.opts...)
			if !own {
				sc, hc := r.srv.cfg.session(), r.srv.hostConfig()
				for _, below := range []map[string]*time.Duration{pollertest.Durations(&sc), pollertest.Durations(&hc)} {
					if d := below[name]; d != nil && *d == never {
						return
					}
				}
				t.Fatal("waitings lacks this setting, and no layer below gets it")
			}
			r.loop.Advance(time.Hour) // a clock at zero would hide overflows
			over := w.begin(t, r)
			r.loop.Advance(10 * time.Second) // less than the heartbeat of clients that do not answer
			r.loop.run()
			if over() {
				t.Error("over at once")
			}
		})
	}
}

// The longest Duration means "never" where it is given for one call, and for one namespace.
func TestLongestDurationOfACall(t *testing.T) {
	for name, begin := range map[string]func(t *testing.T, r *rig, s *Socket) (over func() bool){
		"Timeout": func(t *testing.T, r *rig, s *Socket) func() bool {
			return waitForAcks(t, r, s.Timeout(never), s.ns.Timeout(never))
		},
		"Configure": func(t *testing.T, r *rig, s *Socket) func() bool {
			if err := s.ns.Configure(NamespaceConfig{AckTimeout: never}); err != nil {
				t.Fatal(err)
			}
			return waitForAcks(t, r, Emission{s: s}, s.ns.To())
		},
		"SetHeartbeat": func(t *testing.T, r *rig, s *Socket) func() bool {
			if err := s.SetHeartbeat(time.Second, never); err != nil {
				t.Fatal(err)
			}
			return func() bool { return !s.Connected() }
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, Config{PingTimeout: 2 * aWhile})
			r.loop.Advance(time.Hour)
			_, s := r.join(t)
			over := begin(t, r, s)
			r.loop.Advance(aWhile)
			r.loop.run()
			if over() {
				t.Errorf("over within %v", aWhile)
			}
		})
	}
}
