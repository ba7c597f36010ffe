package sim

import (
	"context"
	"io"
	"math/rand/v2"
	"runtime"
	"time"

	"github.com/seed58c87869/siren/poller/pollertest"
	"github.com/seed58c87869/siren/server"
)

// turnOps is how many connections a loop serves in one turn.
const turnOps = 512

// driver drives one loop, with its connections. Owned by its goroutine while a step runs, and by who steps it between.
type driver struct {
	world *world
	index int
	loop  *pollertest.Loop
	steps chan func()

	// conns and sockets are by connection; order is a permutation of their indexes.
	conns   []*pollertest.Conn
	sockets []*server.Socket
	order   []int32
	// current is the connection that is being fed.
	current int
	hello   []byte
	input   []byte
	rng     *rand.Rand
	// took and err are of the latest step.
	took time.Duration
	err  error
}

func newDriver(w *world, index, conns int) *driver {
	d := &driver{
		world: w, index: index, loop: pollertest.NewLoop(index), steps: make(chan func()),
		conns: make([]*pollertest.Conn, 0, conns), sockets: make([]*server.Socket, conns), order: make([]int32, conns),
		hello: helloPacket(index), rng: rand.New(rand.NewPCG(1, uint64(index))),
	}
	// Touch the pages of the lists, so that they are in memory before it is measured.
	clear(d.conns[:conns])
	clear(d.sockets)
	for i := range d.order {
		d.order[i] = int32(i)
	}
	d.rng.Shuffle(conns, func(i, j int) { d.order[i], d.order[j] = d.order[j], d.order[i] })
	return d
}

// run runs steps on a separate thread, so that the thread's clock measures them.
func (d *driver) run() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for step := range d.steps {
		step()
	}
}

// dial opens the connection with that index, up to CONNECT.
func (d *driver) dial(i int) {
	c := pollertest.NewQuietConn(d.loop, nil)
	d.loop.Do(func() { c.SetReceiver(d.world.accept(c, d.index)) })
	if i == len(d.conns) {
		d.conns = append(d.conns, c)
	}
	d.conns[i] = c
	d.feed(i, handshake)
	d.feed(i, connectPacket)
}

// feed gives a connection a copy of what its client sends: the receiver unmasks in place.
func (d *driver) feed(i int, packet []byte) {
	d.current = i
	d.input = append(d.input[:0], packet...)
	d.conns[i].FeedInPlace(d.input)
}

// met keeps the socket that the connection being fed belongs to.
func (d *driver) met(s *server.Socket) { d.sockets[d.current] = s }

// hang ends a connection as a client does.
func (d *driver) hang(i int) {
	c := d.conns[i]
	d.conns[i], d.sockets[i] = nil, nil
	c.PeerClose(io.EOF)
}

// settle runs the posted tasks, and those that they post.
func (d *driver) settle() {
	for d.loop.RunTurn() > 0 {
	}
}

// sweep does an operation for the indexes from from to to, with the loop's turns in between, and lets the clock go on
// by pace with each turn.
func (d *driver) sweep(ctx context.Context, from, to int, pace time.Duration, op func(d *driver, i int)) error {
	for i := from; i < to; {
		if err := ctx.Err(); err != nil {
			return err
		}
		for end := min(i+turnOps, to); i < end; i++ {
			op(d, i)
		}
		d.settle()
		if pace > 0 {
			d.loop.Advance(pace)
		}
	}
	return nil
}

// frames returns how many frames the connections have taken.
func (d *driver) frames() (n int64) {
	for _, c := range d.conns {
		if c != nil {
			n += c.FrameCount()
		}
	}
	return n
}
