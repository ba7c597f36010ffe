package sequence

import (
	"math/rand/v2"
	"testing"
)

func TestSequence(t *testing.T) {
	const o, r, d = InOrder, Reordered, Duplicated
	tests := []struct {
		take          []int
		want          []Verdict
		skipped, tail int
	}{
		{[]int{0, 1, 2, 3, 4}, []Verdict{o, o, o, o, o}, 0, 0},
		{nil, nil, 0, 5},
		{[]int{0, 1}, []Verdict{o, o}, 0, 3},
		{[]int{4}, []Verdict{o}, 4, 0},
		{[]int{0, 2, 1, 3, 4}, []Verdict{o, o, r, o, o}, 0, 0},
		{[]int{0, 0, 1, 2, 3, 4, 4, 2}, []Verdict{o, d, o, o, o, o, d, d}, 0, 0},
		{[]int{4, 3, 2, 1, 0, 0}, []Verdict{o, r, r, r, r, d}, 0, 0},
		{[]int{4, 2, 2}, []Verdict{o, r, d}, 3, 0},
		{[]int{1, 3, 0, 2, 2}, []Verdict{o, o, r, r, d}, 0, 1},
	}
	for _, tt := range tests {
		var s Sequence
		for i, n := range tt.take {
			if got := s.Take(n); got != tt.want[i] {
				t.Errorf("%v: tick %d (no. %d) is %d, want %d", tt.take, n, i, got, tt.want[i])
			}
		}
		skipped, tail := s.Absent(5)
		if skipped != tt.skipped || tail != tt.tail || s.Complete(5) != (skipped+tail == 0) {
			t.Errorf("%v: absent %d, %d, complete %v", tt.take, skipped, tail, s.Complete(5))
		}
	}
}

// Against a plain set: every number is told apart as first in order, first but late, or seen before, whatever the order.
func TestSequenceRandom(t *testing.T) {
	for seed := range uint64(500) {
		random := rand.New(rand.NewPCG(seed, 0))
		count := 1 + random.IntN(40)
		var s Sequence
		seen, highest := make(map[int]bool), -1
		for range random.IntN(3 * count) {
			n := random.IntN(count)
			want := InOrder
			switch {
			case seen[n]:
				want = Duplicated
			case n < highest:
				want = Reordered
			}
			if got := s.Take(n); got != want {
				t.Fatalf("seed %d: tick %d is %d, want %d", seed, n, got, want)
			}
			seen[n], highest = true, max(highest, n)
		}
		arrived := len(seen)
		s.Holes(count, func(n int) bool {
			if seen[n] {
				t.Fatalf("seed %d: message %d has arrived and is a hole", seed, n)
			}
			seen[n] = true
			return true
		})
		if len(seen) != count {
			t.Fatalf("seed %d: %d of %d messages have arrived or are holes", seed, len(seen), count)
		}
		skipped, tail := s.Absent(count)
		if skipped+tail != count-arrived || tail != count-1-highest {
			t.Fatalf("seed %d: absent %d, %d of %d", seed, skipped, tail, count)
		}
	}
}
