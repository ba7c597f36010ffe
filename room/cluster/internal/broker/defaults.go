package broker

import (
	"errors"
	"time"
)

// Default is a field of a configuration with its default. Immutable.
type Default[T int | time.Duration] struct {
	Value   *T
	Default T
}

var errNegative = errors.New("a limit or time is negative")

// Settle gives fields that are zero their defaults. It returns an error if one is negative.
func Settle[T int | time.Duration](fields ...Default[T]) error {
	for _, f := range fields {
		if *f.Value == 0 {
			*f.Value = f.Default
		}
		if *f.Value < 0 {
			return errNegative
		}
	}
	return nil
}
