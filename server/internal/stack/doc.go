// Package stack reports, by the stack, whether the calling goroutine is an event loop or runs a handler.
package stack
