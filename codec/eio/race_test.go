//go:build race

package eio

// raceEnabled is set under the race detector, where sync.Pool drops entries at random.
const raceEnabled = true
