package adminui

import "time"

// bucket is a token bucket that holds one second's worth. It belongs to who guards it.
type bucket struct {
	perSecond, tokens float64
	last              time.Time
}

func newBucket(perSecond int) bucket {
	return bucket{perSecond: float64(perSecond), tokens: float64(perSecond)}
}

// fill adds the tokens of the time since it was called before.
func (b *bucket) fill(now time.Time) {
	if !b.last.IsZero() {
		b.tokens = min(b.perSecond, b.tokens+now.Sub(b.last).Seconds()*b.perSecond)
	}
	b.last = now
}

// has reports whether there are n tokens. More than a second's worth counts as that.
func (b *bucket) has(n int) bool { return b.tokens >= min(float64(n), b.perSecond) }

func (b *bucket) take(n int) { b.tokens -= min(float64(n), b.perSecond) }
