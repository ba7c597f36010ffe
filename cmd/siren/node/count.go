package node

import (
	"sync"
	"time"
)

const (
	// countInterval is the least time between two broadcasts of the count.
	countInterval = 200 * time.Millisecond
	// countCost is added to it for each connected socket: it bounds what the
	// broadcasts cost when many clients come and go, to 50,000 packets a second.
	countCost = 20 * time.Microsecond
)

// liveCount counts the sockets of a namespace and publishes the number when it has changed. While nothing changes it
// does nothing: a change starts a timer, and no other is started before that has fired. Safe for concurrent use.
type liveCount struct {
	publish func(n int)

	mu      sync.Mutex // guards what follows
	n       int
	pending bool // the timer runs
}

// add changes the count by delta and returns the new one, which is published in a while if tell says so.
func (c *liveCount) add(delta int, tell bool) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n += delta
	if tell && !c.pending {
		c.pending = true
		time.AfterFunc(countInterval+time.Duration(c.n)*countCost, c.tell)
	}
	return c.n
}

// tell publishes the count, also when it is what it was before: a socket that came in between has been told another.
func (c *liveCount) tell() {
	c.mu.Lock()
	n := c.n
	c.pending = false
	c.mu.Unlock()
	c.publish(n)
}
