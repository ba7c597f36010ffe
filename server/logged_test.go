package server_test

import (
	"context"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed58c87869/siren/room/cluster"
	"github.com/seed58c87869/siren/server"
)

// heldLog is an adapter with a log that returns nothing until it is told to.
type heldLog struct {
	cluster.Adapter
	// asked gets a value for each function that has to wait.
	asked chan struct{}

	mu      sync.Mutex // guards what follows
	receive func(m *cluster.Message)
	last    uint64
	waiting []func()
	// closed is closed with the adapter; late counts the sessions that were saved later, and saved those before.
	closed      chan struct{}
	saved, late int
}

// startLogged starts a server with such a log.
func startLogged(t *testing.T, setup func(ns *server.Namespace)) (*server.Server, *heldLog) {
	t.Helper()
	log := &heldLog{Adapter: cluster.NewBus().Node("a"), asked: make(chan struct{}, 100), closed: make(chan struct{}), last: 1}
	srv, err := server.New(
		server.Config{Loops: 2, Recovery: server.Recovery{MaxDisconnection: time.Minute, RestoreTimeout: time.Minute}, CloseTimeout: time.Minute},
		server.WithAdapter(log))
	if err != nil {
		t.Fatal(err)
	}
	setup(srv.Of("/"))
	if err := srv.Listen("tcp://127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		log.release()
		_ = srv.Close()
	})
	return srv, log
}

func (l *heldLog) HasLog() bool { return true }

func (l *heldLog) SubscribeLog(_ string, receive func(m *cluster.Message)) error {
	l.receive = receive
	receive(&cluster.Message{Kind: cluster.LogPosition, Offset: cluster.Offset{Minor: 1}})
	return nil
}

func (l *heldLog) Publish(m *cluster.Message) error {
	if m.Kind != cluster.Broadcast || m.Request != "" {
		return l.Adapter.Publish(m)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last++
	back := *m
	back.Offset = cluster.Offset{Minor: l.last}
	l.waiting = append(l.waiting, func() { l.receive(&back) })
	return nil
}

func (l *heldLog) InOrder(_ string, fn func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting) == 0 {
		return false
	}
	l.waiting = append(l.waiting, fn)
	l.asked <- struct{}{}
	return true
}

// release returns everything.
func (l *heldLog) release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, fn := range l.waiting {
		fn()
	}
	l.waiting = nil
}

func (l *heldLog) SaveSession(*cluster.Session, time.Duration) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.closed:
		l.late++
	default:
		l.saved++
	}
	return nil
}

func (l *heldLog) Close() error {
	close(l.closed)
	return l.Adapter.Close()
}

func (l *heldLog) TakeSession(context.Context, string) (*cluster.Session, error) { return nil, nil }

func (l *heldLog) ReadLog(context.Context, string, cluster.Offset, cluster.Offset, func(m *cluster.Message) bool) error {
	return cluster.ErrGone
}

// At the end of the server, clients get what it has emitted and what it has answered, also when the log returns it
// late.
func TestEndWaitsForTheLog(t *testing.T) {
	for name, end := range map[string]func(srv *server.Server) error{
		"Close": (*server.Server).Close,
		"Drain": func(srv *server.Server) error {
			_, err := srv.Drain(context.Background(), server.DrainPlan{Timeout: time.Minute})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			srv, log := startLogged(t, func(ns *server.Namespace) {
				ns.On("question", func(_ context.Context, m *server.Message) {
					_, _ = ns.Emit("news")
					_ = m.Ack("answer")
				})
			})
			c := dial(t, srv)
			c.send("0")
			c.next() // CONNECT
			c.send(`21["question"]`)
			<-log.asked // the answer waits
			ended := make(chan error, 1)
			go func() { ended <- end(srv) }()
			select {
			case <-log.asked:
			case err := <-ended:
				t.Errorf("it does not wait: %v", err)
				ended <- err
			}
			log.release()
			if got := c.next().text; !strings.HasPrefix(got, `2["news",`) {
				t.Errorf("got %q instead of the event", got)
			}
			c.expect(`31["answer"]`)
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}
}

// A server leaves its cluster when the disconnect handlers have returned: the sessions of their sockets are saved
// behind them.
func TestSessionsAreSavedBeforeTheAdapterCloses(t *testing.T) {
	var log *heldLog
	var srv *server.Server
	srv, log = startLogged(t, func(ns *server.Namespace) {
		ns.OnDisconnect(func(*server.Socket, server.Reason) {
			for addr := srv.Addr(); ; { // until the event loops stop
				c, err := net.Dial("tcp", addr.String())
				if err != nil {
					break
				}
				_ = c.Close()
			}
			select {
			case <-log.closed:
			case <-time.After(500 * time.Millisecond): // the adapter must not be closed meanwhile
			}
		})
	})
	c := dial(t, srv)
	c.send("0")
	c.next() // CONNECT
	if err := srv.Close(); err != nil {
		t.Error(err)
	}
	if log.saved != 1 || log.late != 0 {
		t.Errorf("%d sessions saved, and %d too late", log.saved, log.late)
	}
}
