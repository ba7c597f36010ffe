//go:build !assert

package poller

// mustOwn checks nothing; build with -tags assert to check that loop-owned methods are called on their loop.
func (l *Loop) mustOwn(string) {}

// asserting tells the tests that loop-owned methods cost more, and allocate.
const asserting = false
