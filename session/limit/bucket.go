package limit

import (
	"sync/atomic"
	"time"
)

// RateMax is the greatest rate of a Bucket: one unit takes a nanosecond.
const RateMax = int(time.Second)

// Bucket is a token bucket that holds one second's worth, so its rate is its size too. The zero value is full.
// Loop-owned.
//
// The bucket is kept as the time at which it will be full again (the theoretical arrival time of the generic cell rate
// algorithm), which takes one word and stays right when the rate changes.
type Bucket int64

// Take takes n tokens out of a bucket that gets rate tokens a second, and reports whether there were so many. If not,
// it takes none. The rate is from 1 to RateMax; n above it never fits.
func (b *Bucket) Take(now int64, n, rate int) bool {
	full, ok := taken(int64(*b), now, n, rate)
	if ok {
		*b = Bucket(full)
	}
	return ok
}

// taken returns when a bucket that is full at the time full is full again without n tokens.
func taken(full, now int64, n, rate int) (next int64, ok bool) {
	if n > rate { // which would overflow below, if it is very many
		return full, false
	}
	next = max(full, now) + int64(n)*int64(time.Second)/int64(rate)
	return next, next-now <= int64(time.Second)
}

// Shared is a Bucket for all event loops. Safe for concurrent use, without a lock.
type Shared struct{ full atomic.Int64 }

// Take is Bucket.Take for one token.
func (s *Shared) Take(now int64, rate int) bool {
	for {
		full := s.full.Load()
		next, ok := taken(full, now, 1, rate)
		if !ok || s.full.CompareAndSwap(full, next) {
			return ok
		}
	}
}
