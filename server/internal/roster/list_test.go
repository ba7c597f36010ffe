package roster

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// socket stands for a socket.
type socket struct{ id string }

func TestList(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var l List[socket]
	var want []*socket
	for range 5000 {
		if s := new(socket); len(want) < 5 && rng.IntN(2) == 0 {
			l.Add(s)
			want = append(want, s)
		} else if l.Remove(s); len(want) > 0 { // one that is not there changes nothing
			i := rng.IntN(len(want))
			l.Remove(want[i])
			want = slices.Delete(want, i, i+1)
		}
		got := slices.Collect(l.All)
		if len(got) != len(want) || l.Len() != len(want) || (l.Last() == nil) != (len(want) == 0) {
			t.Fatalf("%d and %d of %d sockets", len(got), l.Len(), len(want))
		}
		for _, s := range want {
			if !slices.Contains(got, s) {
				t.Fatal("a socket is missing")
			}
		}
		for range l.All {
			break
		}
	}
}
