//go:build !assert

package stream

// asserting tells whether loop-owned methods check that they run on their loop.
const asserting = false
