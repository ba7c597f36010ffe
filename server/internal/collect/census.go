package collect

import "github.com/seed58c87869/siren/room"

// Census notes the selected sockets on their loops, all of a loop in one go. Its parties are the loops. Safe for
// concurrent use. A nil Census notes nothing.
type Census struct {
	Wait
	list bool // the members are wanted, and not their number alone; immutable
	// members and count are the result. Guarded by the lock, and immutable once the wait is over.
	members []*room.Member
	count   int
	// done, if set, is called at the end, with no lock held; on an event loop, perhaps.
	done func(c *Census)
}

// NewCensus returns a census that has not begun, and expects the caller to Pass once. With list the members are wanted,
// otherwise their number. done may be nil. home is the index of the loop that gets the timer.
func NewCensus(of *Waits, home int, list bool, done func(c *Census)) *Census {
	c := &Census{list: list, done: done}
	c.Init(of, c, home)
	c.Loops = 1
	return c
}

// List reports whether the members are wanted, and not their number alone.
func (c *Census) List() bool { return c.list }

// Expect notes that a loop is about to be asked. A loop that is asked calls Pass.
func (c *Census) Expect(int) {
	if c == nil {
		return
	}
	c.Lock()
	c.Loops++
	c.Unlock()
}

// Pass notes that a loop has looked.
func (c *Census) Pass(loop int) {
	if c == nil {
		return
	}
	c.Lock()
	c.Loops--
	c.Settle(loop)
}

// Add notes members that a loop has selected. Loop-only.
func (c *Census) Add(selected []*room.Member) {
	if c == nil {
		return
	}
	c.Lock()
	defer c.Unlock()
	if c.Ended() {
		return
	}
	c.count += len(selected)
	if c.list {
		c.members = append(c.members, selected...)
	}
}

// AddCount notes a number of members.
func (c *Census) AddCount(n int) {
	c.Lock()
	defer c.Unlock()
	c.count += n
}

// Count returns the number of members that were noted so far.
func (c *Census) Count() int {
	c.Lock()
	defer c.Unlock()
	return c.count
}

// Members returns the members, in no order, when the wait is over.
func (c *Census) Members() []*room.Member { return c.members }

// Answered implements Inquiry: no client is asked.
func (c *Census) Answered(Answer, int) {}

// Left implements Inquiry.
func (c *Census) Left(int) {}

// Release implements Inquiry.
func (c *Census) Release(error) {}

// Collected implements Inquiry.
func (c *Census) Collected() {
	if c.done != nil {
		c.done(c)
	}
}
