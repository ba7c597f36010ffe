package server

import (
	"fmt"
	"testing"
)

// BenchmarkJoinLeave is a join and a leave of a room that others are in, from the calls to the loop's end of them.
func BenchmarkJoinLeave(b *testing.B) {
	for _, rooms := range []int{1, 10, 100} {
		b.Run(fmt.Sprintf("in%drooms", rooms), func(b *testing.B) {
			r := benchRig(b)
			s := r.fill(b, 2, "room")[0]
			for i := range rooms - 1 {
				_ = s.Join(fmt.Sprint(i))
			}
			for _, other := range r.srv.root.Sockets() {
				if other != s {
					_ = other.Join("other")
				}
			}
			r.loop.run()
			b.ReportAllocs()
			for b.Loop() {
				_ = s.Join("other")
				s.Leave("other")
				r.loop.run()
			}
		})
	}
}

// BenchmarkJoinAgain is a join of a room that the socket is in.
func BenchmarkJoinAgain(b *testing.B) {
	r := benchRig(b)
	s := r.fill(b, 1, "room")[0]
	b.ReportAllocs()
	for b.Loop() {
		_ = s.Join("room")
	}
}

// BenchmarkJoinMany is a socket that joins ten rooms at once, and leaves them.
func BenchmarkJoinMany(b *testing.B) {
	r := benchRig(b)
	all := r.fill(b, 2, "room")
	var rooms []string
	for i := range 10 {
		rooms = append(rooms, fmt.Sprint(i))
	}
	_ = all[1].Join(rooms...)
	r.loop.run()
	b.ReportAllocs()
	for b.Loop() {
		_ = all[0].Join(rooms...)
		r.loop.run()
		all[0].Leave(rooms...)
		r.loop.run()
	}
}
