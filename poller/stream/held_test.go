package stream

import (
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/seed58c87869/siren/poller/memory"
)

// budgeted is a test loop whose clients have a budget of that many bytes.
func budgeted(limit int64) (*testLoop, *memory.Budget) {
	l, limits := newTestLoop()
	limits.QueueBytesMax = 64 << 20
	b := memory.NewBudget(limit, nil)
	b.Join(l.Memory(), func(fn func()) { l.Post(taskFunc(fn)) })
	return l, b
}

type taskFunc func()

func (f taskFunc) Run(int) { f() }

// unread is a connection whose peer takes nothing.
func (l *testLoop) unread() (*Conn, *testSocket, *testReceiver) {
	c, s, r := l.open()
	s.room = 0
	return c, s, r
}

// Those whose peers do not read are closed when all together hold too much, those first that hold the most.
func TestBudgetEndsSlowReaders(t *testing.T) {
	l, b := budgeted(16 << 20)
	var receivers []*testReceiver
	var sockets []*testSocket
	for i := range 20 {
		c, s, r := l.unread()
		frames := 1
		if i%5 < 2 { // eight of them hold 2 MiB, the others 1
			frames = 2
		}
		for range frames {
			c.Queue(make([]byte, 1<<20))
		}
		receivers, sockets = append(receivers, r), append(sockets, s)
	}
	l.turn()
	ended := 0
	for i, r := range receivers {
		if len(r.ends) == 0 {
			continue
		}
		ended++
		r.ended(t, sockets[i], memory.ErrOverBudget)
		if i%5 >= 2 {
			t.Errorf("connection %d was closed, which holds 1 MiB", i)
		}
	}
	if held := b.Held(); ended == 0 || held > 16<<20 {
		t.Errorf("%d closed, %d bytes left", ended, held)
	}
	if b.Evicted() != int64(ended) {
		t.Errorf("%d closed, %d counted", ended, b.Evicted())
	}
}

// One large frame for many slow readers takes its memory once, and ends nobody.
func TestBudgetSharesBroadcasts(t *testing.T) {
	l, b := budgeted(16 << 20)
	frame := make([]byte, 4<<20)
	for i := range 1000 {
		c, s, _ := l.unread()
		s.room = i // they have taken more or less of it
		c.Queue(frame)
	}
	l.turn()
	if held := b.Held(); held < 4<<20 || held > 5<<20 {
		t.Errorf("%d bytes held for one frame of 4 MiB", held)
	}
	if b.Evicted() != 0 {
		t.Errorf("%d closed", b.Evicted())
	}
}

// A slow reader that has a frame for itself is ended before many that share theirs.
func TestBudgetEndsWhoseEndFreesMemory(t *testing.T) {
	l, b := budgeted(4 << 20)
	shared := make([]byte, 3<<20)
	var crowd []*testReceiver
	for range 100 {
		c, _, r := l.unread()
		c.Queue(shared)
		crowd = append(crowd, r)
	}
	hog, s, r := l.unread()
	for range 2 {
		hog.Queue(make([]byte, 1<<20))
	}
	l.turn()
	r.ended(t, s, memory.ErrOverBudget)
	for _, r := range crowd {
		if len(r.ends) != 0 {
			t.Fatal("a reader of the shared frame was ended")
		}
	}
	if held := b.Held(); held < 3<<20 || held > 4<<20 {
		t.Errorf("%d bytes held", held)
	}
}

// A burst that peers take at once ends nobody, however large it is: neither them, nor somebody who is a little slow.
func TestBudgetSparesFastReaders(t *testing.T) {
	l, b := budgeted(64 << 20)
	slow, _, slowEnd := l.unread()
	slow.Queue(make([]byte, 100<<10))
	l.turn()
	var ends []*testReceiver
	// Frames that end in different places are different ones to the account.
	buffer := make([]byte, 256<<10+4000)
	for i := range 1000 {
		c, r := &Conn{}, &testReceiver{}
		c.Init(&l.Loop, &drain{}, netip.AddrPort{})
		c.SetReceiver(r)
		for k := range 4 {
			c.Queue(buffer[4*i+k:][:256<<10])
		}
		ends = append(ends, r)
	}
	if b.Held() < 700<<20 {
		t.Fatalf("a burst of 1,000 MiB counts as %d bytes", b.Held())
	}
	for _, p := range l.takePosted() { // the round runs before anything is written
		p.Run(0)
	}
	l.turn()
	for _, r := range append(ends, slowEnd) {
		if len(r.ends) != 0 {
			t.Fatal("a connection was closed")
		}
	}
	if held := b.Held(); held < 100<<10 || held > 101<<10 {
		t.Errorf("%d bytes held behind the burst", held)
	}
}

// drain is a socket that takes everything and keeps nothing.
type drain struct{ testSocket }

func (*drain) Write(_ [][]byte, total int) (int, error) { return total, nil }

func (l *testLoop) takePosted() []Task {
	posted := l.posted
	l.posted = nil
	return posted
}

// Unconsumed input counts, and those with the most of it are ended.
func TestBudgetOfUnconsumedInput(t *testing.T) {
	l, b := budgeted(8 << 20)
	var conns []*Conn
	var ends []*testReceiver
	for range 20 {
		c, _, r := l.open()
		r.reply = func([]byte) (int, int) { return 0, 0 }
		conns, ends = append(conns, c), append(ends, r)
	}
	piece := make([]byte, 32<<10)
	for range 16 { // half a MiB each
		for _, c := range conns {
			c.Read(piece)
			l.turn()
		}
	}
	ended := 0
	for _, r := range ends {
		ended += len(r.ends)
	}
	if held := b.Held(); ended == 0 || ended > 15 || held > 8<<20 {
		t.Errorf("%d closed, %d bytes held", ended, held)
	}
	for _, c := range conns {
		c.Cut(nil)
	}
	if b.Held() != 0 || l.Memory().Listed() != 0 {
		t.Errorf("%d bytes held at the end, %d listed", b.Held(), l.Memory().Listed())
	}
}

// A model: whatever is queued, written, received and ended, the account is not negative, what waits for blocked
// connections is in it, and it is empty when they are.
func TestAccountAgainstModel(t *testing.T) {
	for seed := range uint64(15) {
		rnd := rand.New(rand.NewPCG(seed, 17))
		l, b := budgeted(1 << 40)
		const n = 12
		conns, sockets := make([]*Conn, n), make([]*testSocket, n)
		renew := func(i int) {
			s, r := &testSocket{room: 0, unsent: -1}, &testReceiver{}
			r.reply = func(data []byte) (int, int) { return rnd.IntN(len(data) + 1), 0 }
			c := &Conn{}
			c.Init(&l.Loop, s, netip.AddrPort{})
			c.SetReceiver(r)
			conns[i], sockets[i] = c, s
		}
		for i := range n {
			renew(i)
		}
		for range 2000 {
			i := rnd.IntN(n)
			c, s := conns[i], sockets[i]
			switch rnd.IntN(12) {
			case 0, 1, 2:
				c.Queue(make([]byte, 1+rnd.IntN(20_000)))
			case 3, 4:
				frame := make([]byte, 1+rnd.IntN(50_000))
				for range 5 {
					conns[rnd.IntN(n)].Queue(frame)
				}
			case 5, 6:
				c.Read(make([]byte, 1+rnd.IntN(9000)))
			case 7, 8, 9:
				s.room = []int{rnd.IntN(30_000), -1, 0}[rnd.IntN(3)]
				l.Writable(s.ticket)
			case 10:
				c.CloseAfterFlush()
			default:
				c.Cut(nil)
			}
			l.turn()
			if c.Closed() {
				renew(i)
			}
			checkAccount(t, seed, b, l, conns)
		}
		for i, c := range conns {
			if i%2 == 0 {
				c.Cut(nil)
			} else {
				sockets[i].room = -1
				l.Writable(sockets[i].ticket)
				c.CloseAfterFlush()
				l.turn()
				c.Ended(nil)
			}
		}
		l.turn()
		if b.Held() != 0 || l.Memory().Listed() != 0 || l.Queued() != 0 {
			t.Fatalf("seed %d: %d bytes held at the end, %d listed", seed, b.Held(), l.Memory().Listed())
		}
	}
}

func checkAccount(t *testing.T, seed uint64, b *memory.Budget, l *testLoop, conns []*Conn) {
	t.Helper()
	least, most, queued := 0, 0, 0
	for _, c := range conns {
		least += c.restSize()
		queued += c.QueuedBytes()
		most += c.restSize() + c.QueuedBytes() + c.QueuedFrames()*200 + 50_000 // the first frame counts as a whole
		if c.Blocked() && c.flags&flagCounted == 0 {
			t.Fatalf("seed %d: the queue of a blocked connection does not count", seed)
		}
		if want := c.Blocked() || c.restSize() >= memory.ListMin; want && c.flags&flagListed == 0 {
			t.Fatalf("seed %d: a connection that holds memory is not listed", seed)
		}
	}
	if l.Queued() != queued {
		t.Fatalf("seed %d: %d bytes are queued, the loop counts %d", seed, queued, l.Queued())
	}
	if held := int(b.Held()); held < least || held > most {
		t.Fatalf("seed %d: %d bytes held, want %d to %d", seed, held, least, most)
	}
}

// A short queue that nobody waits for costs nothing.
func TestShortQueuesAreNotCounted(t *testing.T) {
	l, b := budgeted(1 << 20)
	c := l.conn()
	frame := make([]byte, 1000)
	for range 16 {
		c.Queue(frame)
	}
	if b.Held() != 0 || c.flags&flagCounted != 0 {
		t.Errorf("%d bytes held", b.Held())
	}
}
