package poller

import (
	"sync/atomic"
	"testing"
	"time"
)

// BenchmarkPostDrain is one task through the mailbox, without gnet.
func BenchmarkPostDrain(b *testing.B) {
	l, _, _ := stubLoop(b, 0, Config{})
	task := &broadcast{}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		l.Post(task)
		if i&255 == 255 {
			turns(l)
		}
	}
}

type countdown struct {
	left atomic.Int64
	done chan struct{}
}

func (c *countdown) Run(int) {
	if c.left.Add(-1) == 0 {
		close(c.done)
	}
}

// BenchmarkPostThroughGnet is one task from another goroutine to a loop that gnet drives.
func BenchmarkPostThroughGnet(b *testing.B) {
	h := newHub()
	h.receive = echo
	e := start(b, Config{Accept: h.accept, Loops: 1})
	c := dial(b, e)
	write(b, c, "x")
	expect(b, c, "x")
	l := e.Loops()[0]
	b.ReportAllocs()
	b.ResetTimer()
	task := &countdown{done: make(chan struct{})}
	task.left.Store(int64(b.N))
	for range b.N {
		l.Post(task)
	}
	<-task.done
}

// BenchmarkFanOut1000 appends one frame to 1,000 connections and flushes them, without system calls; one operation
// is one recipient.
func BenchmarkFanOut1000(b *testing.B) {
	l, conns, _ := stubLoop(b, 1000, Config{FlushTime: time.Hour})
	task := &broadcast{members: conns, frames: [][]byte{make([]byte, 128)}}
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; i < b.N; i += len(conns) {
		l.Post(task)
		turns(l)
	}
}

// BenchmarkFanOut1000x4 coalesces four frames per recipient.
func BenchmarkFanOut1000x4(b *testing.B) {
	l, conns, _ := stubLoop(b, 1000, Config{FlushTime: time.Hour})
	frame := make([]byte, 128)
	task := &broadcast{members: conns, frames: [][]byte{frame, frame, frame, frame}}
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; i < b.N; i += len(conns) {
		l.Post(task)
		turns(l)
	}
}

// BenchmarkEcho is a round trip of 64 bytes over loopback.
func BenchmarkEcho(b *testing.B) {
	h := newHub()
	h.receive = func(p *peer, data []byte) (int, int) {
		p.conn.Queue(data[:len(data):len(data)]) // flushed before the buffer is used again
		return len(data), 0
	}
	e := start(b, Config{Accept: h.accept, Loops: 1})
	c := dial(b, e)
	buf := make([]byte, 64)
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		if _, err := c.Write(buf); err != nil {
			b.Fatal(err)
		}
		if _, err := c.Read(buf); err != nil {
			b.Fatal(err)
		}
	}
}
