package limit

import "time"

// Rates are what one connection may send. Immutable.
type Rates struct {
	// Events and Bytes are those of a second; 0 for no limit.
	Events, Bytes int
	// Excess is how long a client may exceed them; see Flow.Exceeded.
	Excess time.Duration
}

// Kind is the limit that an event exceeds. Immutable.
type Kind uint8

// The limits of an event.
const (
	// None: the event is within the limits.
	None Kind = iota
	// Events and Bytes: there are no tokens for the event, or were none for its bytes.
	Events
	Bytes
)

// calm is how long a client must stay within its limits for an excess to be over: a bucket fills in that time.
const calm = int64(time.Second)

// Flow has the buckets of one connection. The zero value has full ones. Loop-owned.
type Flow struct {
	events, bytes Bucket
	// began and last are the first and the latest moment of the present excess.
	began, last int64
	// over means that there were no tokens for the bytes of the packet that is arriving; exceeded that there was an
	// excess.
	over, exceeded bool
}

// Receive takes the tokens for a message of n bytes, which is a packet or a part of one.
func (f *Flow) Receive(now int64, n int, r *Rates) {
	if r.Bytes > 0 && !f.bytes.Take(now, n, r.Bytes) {
		f.over = true
		f.exceed(now)
	}
}

// Admit ends a packet, and takes the token for it if it is an event. It returns the limit that the event exceeds. Other
// packets are within the limits, although their bytes count.
func (f *Flow) Admit(now int64, event bool, r *Rates) Kind {
	over := f.over
	f.over = false
	switch {
	case !event:
		return None
	case over:
		return Bytes
	case r.Events > 0 && !f.events.Take(now, 1, r.Events):
		f.exceed(now)
		return Events
	}
	return None
}

// exceed notes that the client exceeds its limits.
func (f *Flow) exceed(now int64) {
	if !f.exceeded || now-f.last > calm {
		f.exceeded, f.began = true, now
	}
	f.last = now
}

// Exceeded reports whether the client exceeds its limits now, and has done so for Rates.Excess, with no second in
// between in which it has not.
func (f *Flow) Exceeded(now int64, r *Rates) bool {
	return f.exceeded && f.last == now && now-f.began >= int64(r.Excess)
}
