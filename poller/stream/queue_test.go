package stream

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

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
	l, _ := newTestLoop()
	q := l.conn()
	lists := &l.lists
	var model []byte
	for range steps {
		switch rnd.IntN(3) {
		case 0, 1:
			frame := make([]byte, 1+rnd.IntN(300))
			for i := range frame {
				frame[i] = byte(rnd.Int())
			}
			q.push(frame)
			model = append(model, frame...)
		default:
			limit := 1 + rnd.IntN(3000)
			parts, total := q.parts(nil, limit)
			if got := bytes.Join(parts, nil); len(got) != total || total > limit || !bytes.HasPrefix(model, got) {
				t.Fatal("parts differ")
			}
			n := rnd.IntN(total + 1)
			if n > 0 {
				q.skip(n)
				model = model[n:]
			}
		}
		frames := q.QueuedFrames()
		want := len(model) + max(0, frames-1)*FrameOverhead
		if q.footprint() != want || q.QueuedBytes() != len(model) || (frames == 0) != (len(model) == 0) {
			t.Fatalf("%d bytes in %d frames, footprint %d, want %d", q.QueuedBytes(), frames, q.footprint(), want)
		}
	}
	q.dropQueue()
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
	l, _ := newTestLoop()
	q := l.conn()
	n := 0
	for ; q.footprint() < 1<<20; n++ {
		q.push([]byte{1})
	}
	if n > 1<<20/FrameOverhead {
		t.Errorf("%d frames of a byte count for a MiB", n)
	}
}
