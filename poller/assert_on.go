//go:build assert

package poller

import "fmt"

// mustOwn panics when a loop-owned method is called from anywhere but its loop.
func (l *Loop) mustOwn(method string) {
	if !l.OnLoop() {
		panic(fmt.Sprintf("poller: %s called off loop %d", method, l.index))
	}
}

// asserting tells the tests that loop-owned methods cost more, and allocate.
const asserting = true
