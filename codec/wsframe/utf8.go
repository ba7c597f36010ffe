package wsframe

import "unicode/utf8"

// UTF8 validates text that arrives in pieces. The pieces may be split anywhere, even
// within a rune. Loop-owned; the zero value is ready to use. It holds only the bytes
// of one unfinished rune. [Reader] uses it for fragments; code that inflates
// compressed text needs it as well.
//
//	var text wsframe.UTF8
//	ok := text.Feed(first) && text.Feed(second) && text.Complete()
//
// Surrogates, overlong forms and code points above U+10FFFF are invalid, as in
// package unicode/utf8 (RFC 3629).
type UTF8 struct {
	held  [utf8.UTFMax - 1]byte // valid start of a rune
	count uint8                 // number of bytes in held, or rejected
}

// rejected replaces the count once the text is invalid.
const rejected = utf8.UTFMax

// Feed validates the next piece of the text and reports whether the text may still
// become valid. It returns false for the first piece that cannot be part of valid
// text, and from then on.
func (u *UTF8) Feed(p []byte) bool {
	if u.count == rejected {
		return false
	}
	for u.count > 0 {
		if len(p) == 0 {
			return true
		}
		if !u.extend(p[0]) {
			return false
		}
		p = p[1:]
	}
	// Now p starts at a rune. The fast check of the standard library validates all
	// but the unfinished rune at its end.
	cut := len(p) - unfinished(p)
	if !utf8.Valid(p[:cut]) {
		u.count = rejected
		return false
	}
	u.count = uint8(copy(u.held[:], p[cut:]))
	return true
}

// Complete reports whether the text fed so far is valid and does not end within a
// rune.
func (u *UTF8) Complete() bool { return u.count == 0 }

// Reset makes u ready for another text.
func (u *UTF8) Reset() { *u = UTF8{} }

// extend adds one byte to the unfinished rune.
func (u *UTF8) extend(c byte) bool {
	var sequence [utf8.UTFMax]byte
	copy(sequence[:], u.held[:])
	sequence[u.count] = c
	size := int(u.count) + 1
	switch {
	case !utf8.FullRune(sequence[:size]):
		u.held[u.count] = c
		u.count++
		return true
	case utf8.Valid(sequence[:size]):
		u.count = 0
		return true
	default:
		u.count = rejected
		return false
	}
}

// unfinished returns the number of bytes, at most three, of an incomplete valid rune
// at the end of p. A start that no further byte can make valid does not count,
// because FullRune reports it as full.
func unfinished(p []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(p); n++ {
		tail := p[len(p)-n:]
		if !utf8.RuneStart(tail[0]) {
			continue
		}
		if utf8.FullRune(tail) {
			return 0
		}
		return n
	}
	return 0
}
