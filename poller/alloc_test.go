package poller

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"
)

// broadcast is a typed mailbox message, reused.
type broadcast struct {
	members []*Conn
	frames  [][]byte
}

func (b *broadcast) Run(int) {
	for _, frame := range b.frames {
		for _, c := range b.members {
			c.Queue(frame)
		}
	}
}

// W2: a fan-out allocates nothing per recipient, with one frame and with several.
func TestFanOutDoesNotAllocate(t *testing.T) {
	for _, frames := range []int{1, 4, 40} {
		l, conns := stubLoop(t, 1000, Config{FlushTime: time.Hour})
		b := &broadcast{members: conns}
		for range frames {
			b.frames = append(b.frames, make([]byte, 128))
		}
		round := func() {
			l.Post(b)
			turns(l)
		}
		round()
		if n := testing.AllocsPerRun(20, round); n != 0 && !asserting {
			t.Errorf("%d frames: %v allocations for 1,000 recipients", frames, n)
		}
		for _, c := range conns {
			s := c.gc.(*stubConn)
			if s.writes != 22 || s.written != 22*frames*128 || !c.Idle() {
				t.Fatalf("%d frames: %d writes, %d bytes in 22 rounds", frames, s.writes, s.written)
			}
		}
	}
}

func TestPostAndReceiveDoNotAllocate(t *testing.T) {
	l, conns := stubLoop(t, 1, Config{})
	fn := func() {}
	task := &broadcast{}
	if n := testing.AllocsPerRun(100, func() {
		l.Post(task)
		l.PostFunc(fn)
		l.TryPost(task)
		turns(l)
	}); n != 0 {
		t.Errorf("post: %v allocations", n)
	}
	c := conns[0]
	c.recv = &peer{conn: c, receive: func(_ *peer, data []byte) (int, int) { return len(data) / 2, 2 * len(data) }}
	in := make([]byte, 1000)
	if n := testing.AllocsPerRun(100, func() {
		c.deliver(in) // leaves a rest
		c.dropRest()
	}); n != 0 {
		t.Errorf("receive: %v allocations", n)
	}
}

// Memory of a stuck peer: gnet gets one bounded piece and the rest stays in our queue.
func TestStuckPeerGetsOnePiece(t *testing.T) {
	l, conns := stubLoop(t, 1, Config{QueueBytesMax: 4 << 20})
	c := conns[0]
	stub := c.gc.(*stubConn)
	stub.stuck = true
	for range 30 {
		c.Queue(make([]byte, 100_000))
		turns(l)
	}
	if stub.held != writeBytesMax || c.QueuedBytes() != 3_000_000+29*frameOverhead || l.dirty.len() != 0 {
		t.Fatalf("gnet holds %d, %d queued, %d dirty", stub.held, c.QueuedBytes(), l.dirty.len())
	}
	stub.stuck, stub.written, stub.held = false, stub.held, 0
	(*watcher)(l).Expire(l.now)
	turns(l)
	if stub.written != 3_000_000 || c.QueuedBytes() != 0 || c.watch() != nil || l.counters.blocked.Load() != 0 {
		t.Fatalf("%d written, %d queued", stub.written, c.QueuedBytes())
	}
}

// The queue against a plain byte slice.
func TestFrameQueueAgainstModel(t *testing.T) {
	for seed := range uint64(50) {
		checkQueue(t, seed, 400)
	}
}

func FuzzFrameQueue(f *testing.F) {
	f.Add(uint64(1), uint16(100))
	f.Fuzz(func(t *testing.T, seed uint64, steps uint16) { checkQueue(t, seed, int(steps)%1000) })
}

func checkQueue(t *testing.T, seed uint64, steps int) {
	t.Helper()
	rnd := rand.New(rand.NewPCG(seed, 3))
	var lists listPool
	var q frameQueue
	var model []byte
	for range steps {
		switch rnd.IntN(3) {
		case 0, 1:
			frame := make([]byte, 1+rnd.IntN(300))
			for i := range frame {
				frame[i] = byte(rnd.Int())
			}
			q.push(frame, &lists)
			model = append(model, frame...)
		default:
			limit := 1 + rnd.IntN(3000)
			parts, total := q.parts(nil, limit)
			if got := bytes.Join(parts, nil); len(got) != total || total > limit || !bytes.HasPrefix(model, got) {
				t.Fatal("parts differ")
			}
			buf := q.copy(make([]byte, 0, limit))
			if len(buf) != min(limit, len(model)) || !bytes.HasPrefix(model, buf) {
				t.Fatal("copy differs")
			}
			n := total
			if rnd.IntN(2) == 0 {
				n = len(buf)
			}
			if n > 0 {
				q.skip(n, &lists)
				model = model[n:]
			}
		}
		want := len(model) + max(0, q.len()-1)*frameOverhead
		if q.bytes() != want || q.empty() != (len(model) == 0) || (q.len() == 0) != q.empty() {
			t.Fatalf("%d bytes in %d frames, want %d", q.bytes(), q.len(), want)
		}
	}
	q.drop(&lists)
	for _, f := range lists.free {
		for _, frame := range f.frames[:cap(f.frames)] {
			if frame != nil {
				t.Fatal("a free list keeps a frame alive")
			}
		}
	}
}

// Tiny frames are refused long before their list takes many times the limit.
func TestTinyFramesCountForMore(t *testing.T) {
	var lists listPool
	var q frameQueue
	n := 0
	for ; q.bytes() < 1<<20; n++ {
		q.push([]byte{1}, &lists)
	}
	if n > 1<<20/frameOverhead {
		t.Errorf("%d frames of a byte count for a MiB", n)
	}
}
