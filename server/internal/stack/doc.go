// Package stack tells what kind of goroutine the caller is on, by its stack: an event loop, or one of a handler.
package stack
