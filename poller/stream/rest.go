package stream

import "math/bits"

const (
	restClassMin = 9  // 512 bytes
	restClassMax = 16 // 64 KiB; larger ones are left to the garbage collector
	restKeep     = 64 // per class and loop
)

// restBuffer holds the input that a receiver has not consumed. It is loop-owned.
type restBuffer struct {
	b    []byte
	need int // the latest need of the receiver
}

// restSize returns the capacity for an item of need bytes of which received are there: twice as much as was received,
// but not more than the item needs.
func restSize(received, need int) int {
	size := 2 * received
	if need > 0 && need < size {
		size = need
	}
	return max(size, received)
}

// restPool is a loop's free list of rest buffers by size class. It is loop-owned and bounded.
type restPool struct {
	free [restClassMax - restClassMin + 1][]*restBuffer
}

// get returns an empty buffer of at least that capacity.
func (p *restPool) get(size int) *restBuffer {
	if size > 1<<restClassMax {
		return &restBuffer{b: make([]byte, 0, size)}
	}
	class := max(bits.Len(uint(max(size-1, 0))), restClassMin)
	list := &p.free[class-restClassMin]
	if n := len(*list); n > 0 {
		r := (*list)[n-1]
		(*list)[n-1] = nil
		*list = (*list)[:n-1]
		return r
	}
	return &restBuffer{b: make([]byte, 0, 1<<class)}
}

// put takes a buffer back.
func (p *restPool) put(r *restBuffer) {
	size := cap(r.b)
	class := bits.Len(uint(size)) - 1
	if size != 1<<class || class < restClassMin || class > restClassMax {
		return
	}
	list := &p.free[class-restClassMin]
	if len(*list) < restKeep {
		r.b, r.need = r.b[:0], 0
		*list = append(*list, r)
	}
}

// grow makes room for extra bytes.
func (p *restPool) grow(r *restBuffer, extra int) *restBuffer {
	want := len(r.b) + extra
	if want <= cap(r.b) {
		return r
	}
	bigger := p.get(restSize(want, r.need))
	bigger.b = append(bigger.b, r.b...)
	bigger.need = r.need
	p.put(r)
	return bigger
}
