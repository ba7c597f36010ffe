package session

import (
	"math/rand/v2"
	"testing"
)

// The fuzz test's storm with random scripts.
func TestStorm(t *testing.T) {
	seeds := uint64(1500)
	if testing.Short() {
		seeds = 100
	}
	for seed := range seeds {
		rnd := rand.New(rand.NewPCG(seed, 2))
		data := make([]byte, 100+rnd.IntN(1500))
		for i := range data {
			data[i] = byte(rnd.Uint32())
		}
		runStorm(t, data)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}
