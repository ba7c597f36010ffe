package poller

import (
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

// A fan-out allocates nothing per recipient, with one frame and with several.
func TestFanOutDoesNotAllocate(t *testing.T) {
	for _, frames := range []int{1, 4, 40} {
		l, conns, socks := stubLoop(t, 1000, Config{FlushTime: time.Hour})
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
		for i, c := range conns {
			s := socks[i]
			if s.writes != 22 || s.written != 22*frames*128 || c.QueuedBytes() != 0 {
				t.Fatalf("%d frames: %d writes, %d bytes in 22 rounds", frames, s.writes, s.written)
			}
		}
	}
}

func TestPostAndReceiveDoNotAllocate(t *testing.T) {
	l, conns, _ := stubLoop(t, 1, Config{})
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
	leave := true
	c.SetReceiver(&peer{conn: c, receive: func(_ *peer, data []byte) (int, int) {
		if leave {
			return len(data) / 2, 2 * len(data)
		}
		return len(data), 0
	}})
	in := make([]byte, 1000)
	if n := testing.AllocsPerRun(100, func() {
		leave = true
		c.Read(in)
		leave = false
		c.Read(in)
	}); n != 0 {
		t.Errorf("receive: %v allocations", n)
	}
}
