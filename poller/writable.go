package poller

import (
	"sync"

	"golang.org/x/sys/unix"
)

// writables tells loops which of their blocked connections take more data, because gnet does not. The engine has an
// epoll set of its own for descriptors whose kernel buffer is full, and one goroutine waits on it.
//
// An event carries the number of the loop and a ticket that only this loop understands, never a descriptor: descriptor
// numbers are reused, and with PrivateFiles they repeat. The set is made before Start, so it has the same number in
// every table; a loop changes it on its own thread. All methods are safe for concurrent use.
type writables struct {
	set     *readySet // nil until start
	loops   []*Loop
	stopped chan struct{}
}

// ticketBits is the number of low bits of an event's data that hold the ticket; the loop's number is above them.
const ticketBits = 56

// start makes the set and the goroutine that waits on it.
func (w *writables) start(loops []*Loop) error {
	set, err := newReadySet()
	if err != nil {
		return err
	}
	w.set, w.loops, w.stopped = set, loops, make(chan struct{})
	go w.run()
	return nil
}

// await requests one call of Writable with that ticket. again reports that the descriptor was in the set before.
func (w *writables) await(fd, loop int, ticket uint64, again bool) error {
	return w.set.arm(fd, uint64(loop)<<ticketBits|ticket&(1<<ticketBits-1), again)
}

// forget removes a descriptor that is about to be closed from the set.
func (w *writables) forget(fd int) { w.set.disarm(fd) }

// run passes ready tickets to their loops until stop.
func (w *writables) run() {
	defer close(w.stopped)
	ready := make([][]uint64, len(w.loops))
	for {
		if !w.set.wait(func(data uint64) {
			loop := data >> ticketBits
			ready[loop] = append(ready[loop], data&(1<<ticketBits-1))
		}) {
			return
		}
		for i, tickets := range ready {
			if len(tickets) > 0 {
				w.loops[i].writable.put(tickets)
				ready[i] = tickets[:0]
			}
		}
	}
}

// stop ends the goroutine and releases the set. No loop may use it afterwards.
func (w *writables) stop() {
	if w.set == nil {
		return
	}
	w.set.close()
	<-w.stopped
}

// writableTask tells a loop that connections of it take more data. Each loop has one, which is posted unless it is
// queued already.
type writableTask struct {
	loop *Loop

	mu      sync.Mutex
	tickets []uint64 // guarded by mu
	posted  bool     // guarded by mu

	running []uint64 // loop-owned
}

func (t *writableTask) put(tickets []uint64) {
	t.mu.Lock()
	t.tickets = append(t.tickets, tickets...)
	post := !t.posted
	t.posted = true
	t.mu.Unlock()
	if post {
		t.loop.Post(t)
	}
}

// Run implements Task: it lets the connections write in the flush at the end of the turn.
func (t *writableTask) Run(int) {
	t.mu.Lock()
	t.tickets, t.running = t.running[:0], t.tickets
	t.posted = false
	t.mu.Unlock()
	t.loop.gathering.hurry = true
	for _, ticket := range t.running {
		t.loop.Writable(ticket)
	}
}

// retry calls fn as long as a signal interrupts it.
func retry(fn func() error) error {
	for {
		if err := fn(); err != unix.EINTR {
			return err
		}
	}
}
