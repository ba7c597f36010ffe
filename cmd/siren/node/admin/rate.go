package admin

import (
	"sync"
	"time"
)

// rate is a token bucket that holds one second's worth. Safe for concurrent use.
type rate struct {
	mu        sync.Mutex
	perSecond float64 // guarded by mu, as the others; 0 for no bound
	tokens    float64
	last      time.Time
}

// set changes the bound; 0 takes it away.
func (r *rate) set(perSecond int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.perSecond = float64(perSecond)
	r.tokens = r.perSecond
}

// take takes a token. It returns how long it takes until there is one, 0 when there was.
func (r *rate) take(now time.Time) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.perSecond == 0 {
		return 0
	}
	r.tokens = min(r.perSecond, r.tokens+now.Sub(r.last).Seconds()*r.perSecond)
	r.last = now
	if r.tokens >= 1 {
		r.tokens--
		return 0
	}
	return time.Duration((1 - r.tokens) / r.perSecond * float64(time.Second))
}
