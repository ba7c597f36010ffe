package node

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/seed58c87869/siren/cmd/siren/node/config"
	"github.com/seed58c87869/siren/cmd/siren/node/handover"
	"github.com/seed58c87869/siren/cmd/siren/node/systemd"
)

const (
	// queueTime is how long a process goes on accepting when another one has taken over: connections whose handshake had
	// begun still come to it, a round trip later, or more when a packet was lost.
	queueTime = time.Second
	// prepareTime is how long a process waits for another one that has asked to take over.
	prepareTime = 30 * time.Second
	// takeOverTime bounds how long a process tries to take over while another one does.
	takeOverTime = 10 * time.Second
	takeOverPoll = 50 * time.Millisecond
)

// errHandedOver is the cause of the end of a process from which another one has taken over.
var errHandedOver = errors.New("another process has taken over")

// restart is the part of a node with reuse_port in restarts. It takes over from the process that serves the same
// addresses, if there is one, and lets one later process take over. The processes find each other by a name that follows
// from their addresses. Safe for concurrent use; a nil restart does nothing.
type restart struct {
	// well is the name of the process that serves the addresses, own that of this one. Immutable.
	well, own string
	// alone is set without a broker, which has calls reach the older process too. Immutable.
	alone bool
	// older is the process that this one takes over from, until that has ended, newer the one that has taken over.
	older, newer atomic.Pointer[handover.Peer]
	// handed is closed when another process has taken over.
	handed chan struct{}

	// ownServer and predecessor belong to the goroutine of Run.
	ownServer   *handover.Server
	olderName   string
	predecessor *handover.Peer

	mu sync.Mutex // guards what follows
	// prepared is when another process has asked to take over, began when this one has.
	prepared, began time.Time
	wellServer      *handover.Server
}

func newRestart(cfg *config.Config, sockets systemd.Sockets) (*restart, error) {
	if len(sockets.Clients) > 0 || sockets.Admin != nil {
		return nil, errors.New("reuse_port and sockets of the supervisor exclude each other: systemd keeps its sockets over a restart")
	}
	sum := sha256.Sum256([]byte(strings.Join(cfg.Listen, " ")))
	key := fmt.Sprintf("%x", sum[:8])
	return &restart{well: handover.Well(key), own: handover.Own(key), alone: cfg.Broker.URL == "", handed: make(chan struct{})}, nil
}

// over reports whether another process has taken over.
func (r *restart) over() bool { return r != nil && r.newer.Load() != nil }

// handedOver returns a channel that is closed when another process has taken over.
func (r *restart) handedOver() <-chan struct{} {
	if r == nil {
		return nil
	}
	return r.handed
}

// message is what processes tell each other: the name of the sender.
type message struct {
	Name string `json:"name"`
}

// begin finds the process that serves the addresses, and asks it to be taken over from. Nothing may listen yet.
func (r *restart) begin(n *Node) error {
	if r == nil {
		return nil
	}
	if n.operators != nil {
		if err := n.operators.server.Bind(); err != nil {
			return err
		}
	}
	for until := time.Now().Add(takeOverTime); ; time.Sleep(takeOverPoll) {
		p, err := handover.Dial(r.well)
		if handover.None(err) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("cannot take over: %w", err)
		}
		status, answer, err := p.Post("/prepare", []byte("{}"))
		if err == nil && status == fasthttp.StatusOK {
			r.predecessor = p
			return r.meet(answer)
		}
		p.Close()
		if time.Now().After(until) {
			return errors.New("cannot take over: another process is taking over")
		}
	}
}

// meet connects to the older process, whose answer has its name.
func (r *restart) meet(answer []byte) error {
	var m message
	err := json.Unmarshal(answer, &m)
	var older *handover.Peer
	if err == nil {
		older, err = handover.Dial(m.Name)
	}
	if err != nil {
		return fmt.Errorf("cannot take over: %w", err)
	}
	r.older.Store(older)
	r.olderName = m.Name
	return nil
}

// takeOver has new connections come to this process, which serves already, and tells the older one.
func (r *restart) takeOver(n *Node) (err error) {
	if r == nil {
		return nil
	}
	if r.ownServer, err = handover.Listen(r.own, r.serve(n)); err != nil {
		return fmt.Errorf("cannot take over: %w", err)
	}
	if err := r.passClients(n); err != nil {
		return err
	}
	if r.predecessor != nil {
		if err := r.replace(n); err != nil {
			return fmt.Errorf("cannot take over: %w", err)
		}
		n.log.Info("taken over from another process")
	}
	for until := time.Now().Add(takeOverTime); ; time.Sleep(takeOverPoll) {
		r.mu.Lock()
		r.wellServer, err = handover.Listen(r.well, r.serve(n))
		r.mu.Unlock()
		if err == nil {
			return nil
		}
		if !errors.Is(err, syscall.EADDRINUSE) || time.Now().After(until) {
			return fmt.Errorf("cannot be taken over from: %w", err)
		}
	}
}

// passClients has requests of polling clients that come to this process, and belong to the older one, answered there, and
// serves those that the newer one will pass on. With PROXY headers, whose connections belong to proxies, it does not.
func (r *restart) passClients(n *Node) error {
	if n.Config().Proxies.ProxyProtocol {
		return nil
	}
	ln, err := handover.Clients(r.own)
	if err != nil {
		return fmt.Errorf("cannot be taken over from: %w", err)
	}
	go func() { _ = n.srv.Serve(ln) }() // until the server closes
	if r.predecessor == nil {
		return nil
	}
	return n.srv.SetElsewhere(func(ctx context.Context, request []byte) (*http.Response, error) {
		a, err := handover.PassOn(ctx, r.olderName, request)
		if errors.Is(err, syscall.ECONNREFUSED) { // it has ended
			_ = n.srv.SetElsewhere(nil)
		}
		return a, err
	})
}

// replace takes over from the older process.
func (r *restart) replace(n *Node) error {
	err := n.srv.TakeOver()
	if n.operators != nil {
		err = errors.Join(err, n.operators.server.TakeOver())
	}
	if err != nil {
		return err
	}
	body, _ := json.Marshal(message{r.own}) // a string can be encoded
	status, answer, err := r.predecessor.Post("/takeover", body)
	if err == nil && status != fasthttp.StatusOK {
		err = fmt.Errorf("the other process has answered %d %s", status, answer)
	}
	r.predecessor.Close()
	r.mu.Lock()
	r.began = time.Now()
	r.mu.Unlock()
	return err
}

// serve answers other processes.
func (r *restart) serve(n *Node) fasthttp.RequestHandler {
	return func(ctx *fasthttp.RequestCtx) {
		switch path := string(ctx.Path()); {
		case path == "/prepare":
			r.prepare(ctx)
		case path == "/takeover":
			r.handTo(ctx)
		case n.operators != nil:
			n.operators.api.ServeOther(ctx)
		default:
			ctx.SetStatusCode(fasthttp.StatusNotFound)
		}
	}
}

// prepare promises a process that no other one takes over meanwhile.
func (r *restart) prepare(ctx *fasthttp.RequestCtx) {
	r.mu.Lock()
	defer r.mu.Unlock()
	// The process before this one may listen still.
	if time.Since(r.prepared) < prepareTime || time.Since(r.began) < 2*queueTime || r.over() {
		ctx.SetStatusCode(fasthttp.StatusConflict)
		return
	}
	r.prepared = time.Now()
	body, _ := json.Marshal(message{r.own})
	ctx.SetBody(body)
}

// handTo hands over to a process, which serves all new connections already.
func (r *restart) handTo(ctx *fasthttp.RequestCtx) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var m message
	if err := json.Unmarshal(ctx.PostBody(), &m); err != nil || r.over() || r.wellServer == nil {
		ctx.SetStatusCode(fasthttp.StatusConflict)
		return
	}
	newer, err := handover.Dial(m.Name)
	if err != nil {
		ctx.Error(err.Error(), fasthttp.StatusBadRequest)
		return
	}
	r.newer.Store(newer)
	close(r.handed)
	ctx.SetConnectionClose()
	well := r.wellServer
	r.wellServer = nil
	go well.Close() // which waits for this request
}

// callOlder implements api.Config's Older.
func (r *restart) callOlder(path string, body []byte) []byte {
	if r == nil || !r.alone {
		return nil
	}
	p := r.older.Load()
	if p == nil {
		return nil
	}
	status, answer, err := p.Post(path, body)
	if err != nil || status == fasthttp.StatusServiceUnavailable { // it has ended, or is about to
		if r.older.CompareAndSwap(p, nil) {
			p.Close()
		}
	}
	if err != nil || status != fasthttp.StatusOK {
		return nil
	}
	return answer
}

// callNewer implements api.Config's Newer.
func (r *restart) callNewer(path string, body []byte) (status int, answer []byte, ok bool) {
	if !r.over() {
		return 0, nil, false
	}
	status, answer, err := r.newer.Load().Post(path, body)
	return status, answer, err == nil
}

// close ends the service for other processes.
func (r *restart) close() {
	if r == nil {
		return
	}
	r.mu.Lock()
	well := r.wellServer
	r.wellServer = nil
	r.mu.Unlock()
	well.Close()
	r.ownServer.Close()
	r.older.Load().Close()
	r.newer.Load().Close()
}

// handOver ends the node after another process has taken over: it serves what still comes, stops to listen, and drains.
func (n *Node) handOver() error {
	n.log.Info("another process takes over")
	wait := time.NewTimer(queueTime)
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-n.drain.cut.Done():
	case <-n.srv.Done():
		return n.srv.Wait()
	}
	if err := n.srv.StopListening(); err != nil {
		n.log.Error("the listener cannot be closed", "err", err)
	}
	n.operators.stopListening()
	return n.end(errHandedOver)
}
