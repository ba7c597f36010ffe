package deflate

import (
	"bytes"
	"errors"
	"runtime"
	"testing"
	"time"
)

// inSteps inflates with every possible pause and returns the number of pauses.
func inSteps(t *testing.T, data []byte, limit int, w *Window) (out []byte, err error, steps int) {
	t.Helper()
	i := NewInflation([]byte("head"), data, limit, w)
	defer i.Close()
	read := 0
	for !i.Step(func(in, out int) bool {
		if in > chunkBytes || out > 1<<WindowBitsMax || in+out == 0 {
			t.Fatalf("%d bytes read and %d inflated between two pauses", in, out)
		}
		read += in
		return false
	}) {
		if steps++; i.Size() < len(data) {
			t.Fatalf("it takes %d bytes, the compressed message alone %d", i.Size(), len(data))
		}
	}
	out, err = i.Result()
	if string(out[:4]) != "head" {
		t.Fatalf("what was there before is %q", out[:4])
	}
	out = out[4:]
	if err == nil && len(data) > 0 && read != len(data)+len(messageEnd) {
		t.Fatalf("%d of %d bytes were told of", read, len(data)+len(messageEnd))
	}
	return out, err, steps
}

// An Inflation gives the result of Inflate for every message, with and without a window.
func TestInflationIsInflateInSteps(t *testing.T) {
	c := NewCompressor(6, WindowBitsMax)
	for n, m := range append([][]byte{sample(2 << 20), noise(100_000), make([]byte, 1<<20)}, messages...) {
		packed := c.Append(nil, m)
		for _, w := range []*Window{nil, NewWindow(WindowBitsMax)} {
			out, err, steps := inSteps(t, packed, len(m), w)
			if err != nil || !bytes.Equal(out, m) {
				t.Fatalf("message %d: %v, %d bytes", n, err, len(out))
			}
			if least := len(packed)/chunkBytes + len(m)>>WindowBitsMax - 1; steps < least {
				t.Errorf("message %d: %d steps, at least %d", n, steps, least)
			}
			if w != nil && w.Len() != min(len(m), 1<<WindowBitsMax) {
				t.Errorf("message %d: the window has %d bytes", n, w.Len())
			}
		}
		if len(m) > 0 {
			if _, err, _ := inSteps(t, packed, len(m)-1, nil); !errors.Is(err, ErrTooBig) {
				t.Errorf("message %d over the limit: %v", n, err)
			}
		}
		if len(packed) > 10 {
			if out, err, _ := inSteps(t, packed[:len(packed)/2], len(m), nil); err == nil && len(out) == len(m) {
				t.Errorf("half of message %d is the whole", n)
			}
		}
	}
	if _, err, steps := inSteps(t, tables(100<<10), 1<<20, nil); err != nil || steps < 25 {
		t.Errorf("100 KiB of tables: %v, %d steps", err, steps)
	}
}

// Context takeover works the same whether a message is inflated in steps or at once.
func TestInflationTakesTheContextOver(t *testing.T) {
	s, w := NewStream(6, WindowBitsMax), NewWindow(WindowBitsMax)
	for n := range 6 {
		m := sample(10_000 + n)
		packed := s.Append(nil, m)
		var out []byte
		var err error
		if n%2 == 0 {
			out, err, _ = inSteps(t, packed, len(m), w)
		} else {
			out, err = Inflate(nil, packed, len(m), w)
		}
		if err != nil || !bytes.Equal(out, m) {
			t.Fatalf("message %d: %v", n, err)
		}
	}
}

// Close ends an Inflation at any point and releases everything.
func TestInflationCloses(t *testing.T) {
	packed := NewCompressor(6, WindowBitsMax).Append(nil, sample(1<<20))
	before := runtime.NumGoroutine()
	for steps := range 50 {
		i := NewInflation(nil, packed, 1<<20, nil)
		for range steps {
			i.Step(func(int, int) bool { return false })
		}
		i.Close()
		i.Close()
	}
	for end := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before; runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
	}
	if out, err := Inflate(nil, packed, 1<<20, nil); err != nil || len(out) != 1<<20 {
		t.Fatal("the pool is spoiled", err)
	}
}

func BenchmarkInflation(b *testing.B) {
	packed := NewCompressor(DefaultLevel, WindowBitsMax).Append(nil, sample(1<<20))
	b.SetBytes(1 << 20)
	b.ReportAllocs()
	for b.Loop() {
		i := NewInflation(nil, packed, 1<<20, nil)
		if !i.Step(func(int, int) bool { return true }) {
			b.Fatal("not whole")
		}
		if _, err := i.Result(); err != nil {
			b.Fatal(err)
		}
		i.Close()
	}
}
