// Package pattern matches names of rooms, namespaces and events against the patterns of the node's configuration and of
// tokens. In a pattern, * stands for any run of characters of a name, the empty one included; every other character
// stands for itself.
//
// All functions are safe for concurrent use and do not allocate.
package pattern

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxBytes is the longest name or pattern, in bytes.
const MaxBytes = 128

// ErrBad is wrapped by the errors of Check.
var ErrBad = errors.New("bad name")

// Check returns an error if s cannot be a name or a pattern: both have 1 to MaxBytes bytes of UTF-8 without control
// characters.
func Check(s string) error {
	switch {
	case s == "":
		return fmt.Errorf("%w: it is empty", ErrBad)
	case len(s) > MaxBytes:
		return fmt.Errorf("%w: it has %d bytes, the limit is %d", ErrBad, len(s), MaxBytes)
	case !utf8.ValidString(s):
		return fmt.Errorf("%w: it is not UTF-8", ErrBad)
	case strings.IndexFunc(s, unicode.IsControl) >= 0:
		return fmt.Errorf("%w: it has a control character", ErrBad)
	}
	return nil
}

// Match reports whether the whole of name matches the pattern. Its time is at most proportional to the product of the
// lengths.
func Match(pattern, name string) bool {
	// star is the position behind the last * of the pattern, and from the position in name where its run ends now.
	p, n, star, from := 0, 0, -1, 0
	for n < len(name) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			p++
			star, from = p, n
		case p < len(pattern) && pattern[p] == name[n]:
			p++
			n++
		case star >= 0: // let the last * stand for one byte more
			from++
			p, n = star, from
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// List is a list of patterns. Immutable once it is shared. A nil List is a list that was left out; what that allows is
// the caller's decision. An empty one matches nothing.
type List []string

// Match reports whether the name matches any pattern of the list.
func (l List) Match(name string) bool {
	for _, p := range l {
		if Match(p, name) {
			return true
		}
	}
	return false
}

// All reports whether the list matches every name because it has a pattern of * alone.
func (l List) All() bool {
	for _, p := range l {
		if p != "" && strings.Trim(p, "*") == "" {
			return true
		}
	}
	return false
}

// Check returns the error of the first pattern that is bad, with its index.
func (l List) Check() error {
	for i, p := range l {
		if err := Check(p); err != nil {
			return fmt.Errorf("[%d]: %w", i, err)
		}
	}
	return nil
}
