package server

import (
	"testing"
	"unsafe"
)

// Sockets and what a signed-in one has beside fill size classes of the allocator.
func TestSizeOfSocket(t *testing.T) {
	if n := unsafe.Sizeof(Socket{}); n > 208 {
		t.Errorf("a socket has %d bytes, at most 208 are allowed", n)
	}
	if n := unsafe.Sizeof(extra{}); n > 64 {
		t.Errorf("its extra has %d bytes, at most 64 are allowed", n)
	}
}
