//go:build !linux

package poller

import "errors"

// privatePossible is false: only Linux has tables of descriptors that threads of a process do not share. New refuses
// PrivateFiles.
const privatePossible = false

func (l *Loop) isolate(int) error { return errors.ErrUnsupported }

func threadLives(int) bool { return false }
