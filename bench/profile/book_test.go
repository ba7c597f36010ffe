package profile

import (
	"math/rand/v2"
	"testing"
)

// What users are to get is what counting the publications one by one tells.
func TestBookCounts(t *testing.T) {
	const users, most = 5, 200
	var b book
	random := rand.New(rand.NewPCG(1, 2))
	for n := range most {
		b.add(random.IntN(users+1)-1, 0) // nobody too
		if random.IntN(4) == 0 {
			void := random.IntN(n + 1)
			b.void(void)
			b.void(void)
		}
		first, last := random.IntN(n+2), random.IntN(n+3)
		for user := range users {
			for _, to := range []string{toEveryone, toOthers, toSender} {
				want := 0
				for i := first; i < min(last, len(b.list)); i++ {
					if b.list[i].isFor(user, to) {
						want++
					}
				}
				if got := b.expected(first, last, user, to); got != want {
					t.Fatalf("%d to %d, %s of user %d: %d, want %d", first, last, to, user, got, want)
				}
			}
		}
	}
}

// Users ask often, and a run may have millions of publications.
func BenchmarkBookExpected(b *testing.B) {
	const users, most = 1000, 1_000_000
	var list book
	for n := range most {
		list.add(n%users, 0)
	}
	for i := 0; b.Loop(); i++ {
		if n := list.expected(0, most, i%users, toSender); n != most/users {
			b.Fatal(n)
		}
	}
}
