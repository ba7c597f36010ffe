package config

import (
	"fmt"
	"io"
)

// Show writes what is in force, one key a line, with the place that each value comes from. Secrets are masked.
func (l *Loaded) Show(w io.Writer) error {
	for _, k := range Keys() {
		value := k.format(k.in(&l.Config).Interface(), false)
		if _, err := fmt.Fprintf(w, "%s: %s  # %s\n", k.Name, value, l.from[k.Name]); err != nil {
			return err
		}
	}
	return nil
}
