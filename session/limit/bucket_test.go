package limit

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const second = int64(time.Second)

// A bucket gives one second's worth at once, and then its rate.
func TestBucket(t *testing.T) {
	for _, rate := range []int{1, 2, 3, 7, 10, 1000, 999_983, RateMax} {
		var b Bucket
		start := 17 * second
		burst := 0
		for n := max(rate/100, 1); b.Take(start, n, rate); burst += n {
		}
		if least := rate - max(rate/100, 1); burst > rate || burst < least {
			t.Errorf("rate %d: %d at once", rate, burst)
		}
		if rate <= 1000 {
			got := 0
			for now := start; now < start+10*second; now += second / 5000 {
				if b.Take(now, 1, rate) {
					got++
				}
			}
			if got < 10*rate-1 || got > 10*rate+1 {
				t.Errorf("rate %d: %d in ten seconds", rate, got)
			}
		}
		if b.Take(start+100*second, rate+1, rate) {
			t.Errorf("rate %d: more than a second's worth at once", rate)
		}
		if !b.Take(start+100*second, rate, rate) {
			t.Errorf("rate %d: a bucket that was left alone is not full", rate)
		}
	}
}

// FuzzBucket compares a bucket with one that counts its tokens.
func FuzzBucket(f *testing.F) {
	f.Add(uint64(1), uint64(2), 3)
	f.Fuzz(func(t *testing.T, a, b uint64, rate int) {
		rate = 1 + max(rate, -rate, 0)%10_000
		random := rand.New(rand.NewPCG(a, b))
		var got Bucket
		// The model counts in parts of a token, so that it is exact but for what Bucket rounds: less than a nanosecond
		// for each call.
		now, tokens := random.Int64N(second), float64(rate)
		for range 200 {
			pause := random.Int64N(second / 4)
			now += pause
			tokens = min(tokens+float64(pause)*float64(rate)/float64(second), float64(rate))
			n := random.IntN(rate + rate/10 + 2)
			slack := 200 * float64(rate) / float64(second) // of all calls
			ok := got.Take(now, n, rate)
			if ok && tokens < float64(n)-slack || !ok && tokens > float64(n)+slack {
				t.Fatalf("rate %d: %d of %g tokens: %v", rate, n, tokens, ok)
			}
			if ok {
				tokens -= float64(n)
			}
		}
	})
}

// All loops together get the rate of a Shared bucket.
func TestShared(t *testing.T) {
	var s Shared
	var got atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 1000 {
				if s.Take(second, 100) {
					got.Add(1)
				}
			}
		})
	}
	all.Wait()
	if n := got.Load(); n != 100 {
		t.Errorf("%d at once, not 100", n)
	}
	if s.Take(second+second/100-1, 100) || !s.Take(second+second/100, 100) {
		t.Error("the next one is not 10 ms later")
	}
}

func BenchmarkBucket(b *testing.B) {
	b.ReportAllocs()
	var bucket Bucket
	now := second
	for b.Loop() {
		now += 100
		bucket.Take(now, 10, 1_000_000)
	}
}
