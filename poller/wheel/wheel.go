package wheel

import (
	"math"
	"math/bits"
	"time"
)

const (
	slotBits  = 6
	slotCount = 1 << slotBits
	slotMask  = slotCount - 1
	// levelCount levels of 6 bits cover every tick of an int64, so deadlines have no upper bound and are never clamped.
	levelCount = 11
	// levelFiring marks a timer in the ring being fired; levelLate one that was scheduled for the past meanwhile.
	levelFiring = levelCount
	levelLate   = levelCount + 1
)

// Never is a deadline that is never reached.
const Never int64 = math.MaxInt64

// Deadline returns now+d, or Never if the sum exceeds the range of the clock; a duration of math.MaxInt64 means
// "never". Compute every deadline with it, because a plain sum would wrap around into the past.
func Deadline(now int64, d time.Duration) int64 {
	if now > 0 && int64(d) > Never-now {
		return Never
	}
	return now + int64(d)
}

// Wheel holds timers by deadline. It is loop-owned.
//
// A deadline is rounded up to a tick of the resolution. A timer lives on the level of the highest 6-bit digit in which
// its tick differs from the current tick. Hence every occupied slot of a level lies after the current digit, all timers
// of a lower level are due before those of a higher one, and the lowest bit of the lowest occupied level marks the next
// slot.
type Wheel struct {
	resolution int64
	current    int64 // all ticks up to and including this one have been fired
	count      int
	levels     uint16 // bit set: the level has an occupied slot
	occupied   [levelCount]uint64
	slots      [levelCount][slotCount]ring
	opening    *ring // the slot that begins at current, as long as it is not emptied; not marked as occupied
	firing     ring
	late       ring  // scheduled by an Expire for a time that the running Advance covers
	target     int64 // the tick that the running Advance moves to; current otherwise
	advancing  bool
}

// New returns an empty wheel whose ticks are resolution apart (at least 1 ns) and whose time starts at now.
func New(resolution time.Duration, now int64) *Wheel {
	w := &Wheel{resolution: max(int64(resolution), 1)}
	w.current = max(now, 0) / w.resolution
	w.target = w.current
	return w
}

// Len returns the number of scheduled timers.
func (w *Wheel) Len() int { return w.count }

// Resolution returns the distance between two ticks.
func (w *Wheel) Resolution() time.Duration { return time.Duration(w.resolution) }

// Schedule sets t to fire at when, in nanoseconds of the loop's monotonic clock. A timer that is already scheduled is
// moved. A deadline in the past fires at the next tick, never within the running Advance, so that a timer which always
// schedules itself for the past cannot block the loop.
func (w *Wheel) Schedule(t *Timer, when int64) {
	w.Cancel(t)
	t.when = when
	w.count++
	tick := w.tick(when)
	if w.advancing && tick <= w.target {
		t.level = levelLate
		w.late.push(t)
		return
	}
	w.placeAt(t, max(tick, w.current+1))
}

// Cancel unschedules t. It does nothing if t is not scheduled.
func (w *Wheel) Cancel(t *Timer) {
	if t.next == nil {
		return
	}
	w.count--
	switch t.level {
	case levelFiring:
		w.firing.remove(t)
		return
	case levelLate:
		w.late.remove(t)
		return
	}
	r := &w.slots[t.level][t.slot]
	r.remove(t)
	if r.first == nil {
		w.vacate(int(t.level), int(t.slot))
	}
}

// Next returns the time at which Advance must run next. ok is false if no timer is scheduled. At that time timers may
// only move from one level to a finer one, without firing. The time is in the past if the latest AdvanceWhile was
// stopped or an Expire panicked.
func (w *Wheel) Next() (when int64, ok bool) {
	if w.firing.first != nil || w.opening != nil && w.opening.first != nil {
		return w.current * w.resolution, true
	}
	level, slot, ok := w.first()
	if !ok {
		return 0, false
	}
	return w.start(level, slot) * w.resolution, true
}

// Advance moves the time of the wheel to now, fires every timer that is due and returns the number of timers fired. The
// time never goes back. A call from inside Expire does nothing. If an Expire panics, the wheel stays consistent, and
// the next Advance continues with the timer after it.
func (w *Wheel) Advance(now int64) int { return w.AdvanceWhile(now, nil) }

// AdvanceWhile is Advance for as long as more returns true; nil means always. It calls more before it fires a timer,
// and before it moves another group of timers to a finer level. After more has returned false, the next Advance
// continues where this one stopped: timers fire in the same order as without a stop.
func (w *Wheel) AdvanceWhile(now int64, more func() bool) (fired int) {
	if w.advancing {
		return 0
	}
	w.advancing = true
	w.target = max(now/w.resolution, w.current)
	defer w.rest()

	for {
		for w.firing.first != nil {
			if more != nil && !more() {
				return fired
			}
			w.fire(now)
			fired++
		}
		switch {
		case w.opening == nil:
			if !w.step() {
				w.current = w.target
				return fired
			}
		case more != nil && !more():
			return fired
		}
		w.open()
	}
}

// step moves the time to the next occupied slot that begins by target. It returns false if there is none.
func (w *Wheel) step() bool {
	level, slot, ok := w.first()
	if !ok {
		return false
	}
	tick := w.start(level, slot)
	if tick > w.target {
		return false
	}
	w.current = tick
	w.vacate(level, slot)
	w.opening = &w.slots[level][slot]
	return true
}

// rest ends an Advance, even one that was stopped or that a panic in Expire left. Timers scheduled for the past move to
// the next tick.
func (w *Wheel) rest() {
	w.advancing, w.target = false, w.current
	for t := w.late.first; t != nil; t = w.late.first {
		w.late.remove(t)
		w.placeAt(t, max(w.tick(t.when), w.current+1))
	}
}

// openGroup is the number of timers of a slot that are moved at once: the slot of a coarse level may hold nearly all.
const openGroup = 64

// open empties the slot that begins now: due timers go to the firing ring, the others to finer levels.
func (w *Wheel) open() {
	r := w.opening
	for range openGroup {
		t := r.first
		if t == nil {
			w.opening = nil
			return
		}
		r.remove(t)
		if tick := w.tick(t.when); tick > w.current {
			w.placeAt(t, tick)
			continue
		}
		t.level = levelFiring
		w.firing.push(t)
	}
}

// fire fires the first timer of the firing ring.
func (w *Wheel) fire(now int64) {
	t := w.firing.first
	w.firing.remove(t)
	w.count--
	if t.expirer != nil {
		t.expirer.Expire(now)
	}
}

// tick rounds a deadline up, so that nothing fires early.
func (w *Wheel) tick(when int64) int64 {
	if when <= 0 {
		return 0
	}
	tick := when / w.resolution
	if when%w.resolution != 0 {
		tick++
	}
	return tick
}

// placeAt links t at a tick > w.current.
func (w *Wheel) placeAt(t *Timer, tick int64) {
	level := (bits.Len64(uint64(tick^w.current)) - 1) / slotBits
	slot := int(tick>>(level*slotBits)) & slotMask
	t.level, t.slot = uint8(level), uint8(slot)
	w.slots[level][slot].push(t)
	w.occupied[level] |= 1 << slot
	w.levels |= 1 << level
}

func (w *Wheel) vacate(level, slot int) {
	w.occupied[level] &^= 1 << slot
	if w.occupied[level] == 0 {
		w.levels &^= 1 << level
	}
}

// first returns the occupied slot with the earliest start.
func (w *Wheel) first() (level, slot int, ok bool) {
	if w.levels == 0 {
		return 0, 0, false
	}
	level = bits.TrailingZeros16(w.levels)
	return level, bits.TrailingZeros64(w.occupied[level]), true
}

// start returns the first tick of a slot: the current tick with that digit replaced and the finer ones cleared.
func (w *Wheel) start(level, slot int) int64 {
	shift := level * slotBits
	high := uint64(0)
	if shift+slotBits < 64 {
		high = uint64(w.current) >> (shift + slotBits) << (shift + slotBits)
	}
	return int64(high | uint64(slot)<<shift)
}
