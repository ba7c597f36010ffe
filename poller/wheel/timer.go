package wheel

// Expirer is called when its timer expires. now is the time that was passed to Advance. Expire may schedule and cancel
// any timer of the wheel, including its own.
type Expirer = interface{ Expire(now int64) }

// Timer is one entry of a Wheel, to be embedded in the value that it times. It is owned by the loop of its wheel.
// The zero value is not scheduled; call Init before the first Schedule. A scheduled Timer must not be copied.
type Timer struct {
	next, prev *Timer // ring of the slot; both nil while not scheduled
	expirer    Expirer
	when       int64
	level      uint8
	slot       uint8
}

// Init sets the Expirer of the timer. It must not be called while the timer is scheduled.
func (t *Timer) Init(e Expirer) { t.expirer = e }

// Scheduled reports whether the timer is waiting in a wheel. It is already false when Expire runs.
func (t *Timer) Scheduled() bool { return t.next != nil }

// When returns the deadline passed to the latest Schedule, in nanoseconds, even after the timer has fired.
func (t *Timer) When() int64 { return t.when }

// ring is a circular list of timers, represented by its first one; nil is the empty ring.
type ring struct{ first *Timer }

// push appends t, so that timers of one tick fire in the order in which they were scheduled.
func (r *ring) push(t *Timer) {
	if r.first == nil {
		t.next, t.prev, r.first = t, t, t
		return
	}
	last := r.first.prev
	last.next, t.prev = t, last
	t.next, r.first.prev = r.first, t
}

// remove unlinks t, which must be in r.
func (r *ring) remove(t *Timer) {
	if t.next == t {
		r.first = nil
	} else {
		t.prev.next, t.next.prev = t.next, t.prev
		if r.first == t {
			r.first = t.next
		}
	}
	t.next, t.prev = nil, nil
}
