package server

import (
	"sync"
	"time"

	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/poller/memory"
	"github.com/seed58c87869/siren/server/internal/early"
	"github.com/seed58c87869/siren/session"
)

// post sends a packet to the socket's loop.
func (s *Socket) post(f *eio.Frame, volatile bool) error {
	s.client.sess.Deflate(f)
	return s.place(f, volatile)
}

// place is post without compressing the packet: its loop does that.
func (s *Socket) place(f *eio.Frame, volatile bool) error {
	d := newDelivery(s, f, volatile)
	if !d.tryPost(s.client.loop()) {
		d.release()
		return s.ns.srv.refused()
	}
	return nil
}

// tryPost posts the delivery to its loop, unless that is too far behind, by the number of tasks or by bytes.
func (d *delivery) tryPost(l eventLoop) bool {
	size := d.f.Size()
	if size < memory.DepartMin {
		return l.TryPost(d)
	}
	if !l.Memory().Depart(size) {
		return false
	}
	d.counted = size
	if !l.TryPost(d) {
		l.Memory().Arrive(size)
		d.counted = 0
		return false
	}
	return true
}

// answerPatience is how long an acknowledgement waits for room in the mailbox of a busy loop.
const answerPatience = time.Second

// answer sends an acknowledgement to the socket's loop. A client waits for it, and its handler cannot repeat it. So if
// the mailbox is full, the handler's goroutine waits, which delays only its own socket, and slows down whoever fills
// the mailbox with answers. A handler on the loop cannot wait; it posts one answer for each event read.
func (s *Socket) answer(f *eio.Frame, onLoop bool) error {
	s.client.sess.Deflate(f)
	d := newDelivery(s, f, false)
	if onLoop {
		s.client.loop().Post(d)
		return nil
	}
	pause := 50 * time.Microsecond
	for waited := time.Duration(0); !d.tryPost(s.client.loop()); waited += pause {
		if s.closed.Load() {
			return ErrClosed
		}
		if waited >= answerPatience {
			return s.ns.srv.refused()
		}
		pause = min(2*pause, 5*time.Millisecond)
		time.Sleep(pause)
	}
	return nil
}

// refused returns the reason why a loop refused a task.
func (srv *Server) refused() error {
	if srv.host.Closing() {
		return ErrClosed
	}
	srv.stats.queueFull.Add(1)
	return ErrQueueFull
}

// delivery is the task that delivers a packet on its socket's loop.
type delivery struct {
	s        *Socket
	f        *eio.Frame
	counted  int // bytes that the loop's ledger has for the time on the way
	volatile bool
}

// deliveries has used deliveries for reuse, because there is one for each packet to a single socket.
var deliveries = sync.Pool{New: func() any { return new(delivery) }}

func newDelivery(s *Socket, f *eio.Frame, volatile bool) *delivery {
	d := deliveries.Get().(*delivery)
	d.s, d.f, d.volatile = s, f, volatile
	return d
}

// release gives back a delivery that nobody has any more.
func (d *delivery) release() {
	*d = delivery{}
	deliveries.Put(d)
}

// Run implements task.
func (d *delivery) Run(int) {
	s, f, volatile := d.s, d.f, d.volatile
	if d.counted > 0 {
		s.client.loop().Memory().Arrive(d.counted)
	}
	d.release()
	defer s.client.sess.EndOnPanic()
	s.deliver(f, volatile)
}

// deliver passes a packet to the session, which counts dropped ones. Loop-only.
func (s *Socket) deliver(f *eio.Frame, volatile bool) {
	switch s.phase {
	case phaseConnected:
		s.client.sess.Send(f, volatile)
	case phaseClosed:
		s.ns.srv.stats.late.Add(1)
	default:
		s.hold(f, volatile)
	}
}

// hold keeps a packet until CONNECT is sent, within the limits of the outbound queue.
func (s *Socket) hold(f *eio.Frame, volatile bool) {
	if s.pending == nil {
		s.pending = early.New(s.client.loop().Memory(), s.client.sess)
	}
	queue := s.client.sess.Tuning()
	full := s.pending.Bytes()+f.Size() > queue.QueueBytes
	switch {
	case volatile, full && queue.OnFull.Drops():
		s.ns.srv.stats.early.Add(1)
	case full:
		s.ns.srv.stats.early.Add(1)
		s.client.end(session.ReasonQueueFull)
	default:
		s.pending.Add(f)
	}
}

// release returns the held packets, if any, and forgets them.
func (s *Socket) release() []*eio.Frame {
	p := s.pending
	s.pending = nil
	return p.Take()
}
