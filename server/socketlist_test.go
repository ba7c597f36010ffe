package server

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func TestSocketList(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var l socketList
	var want []*Socket
	for range 5000 {
		if s := new(Socket); len(want) < 5 && rng.IntN(2) == 0 {
			l.add(s)
			want = append(want, s)
		} else if l.remove(s); len(want) > 0 { // one that is not there changes nothing
			i := rng.IntN(len(want))
			l.remove(want[i])
			want = slices.Delete(want, i, i+1)
		}
		got := slices.Collect(l.all)
		if len(got) != len(want) || l.len() != len(want) || (l.last() == nil) != (len(want) == 0) {
			t.Fatalf("%d and %d of %d sockets", len(got), l.len(), len(want))
		}
		for _, s := range want {
			if !slices.Contains(got, s) {
				t.Fatal("a socket is missing")
			}
		}
		for range l.all {
			break
		}
	}
}
