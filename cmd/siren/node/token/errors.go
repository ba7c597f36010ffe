package token

import (
	"errors"
	"strings"
)

// The reasons for which a client is refused. Their texts are what clients read. Errors of this package wrap them, with
// the cause behind, which is for logs only.
var (
	// ErrRequired: the namespace needs a token, and there is none.
	ErrRequired = errors.New("token required")
	// ErrInvalid: the token is malformed, its signature is wrong, or a claim has a wrong value or kind.
	ErrInvalid = errors.New("token invalid")
	// ErrExpired: nothing is wrong with the token but its age.
	ErrExpired = errors.New("token expired")
	// ErrNotAllowed: the token is valid and does not allow what the client asked for.
	ErrNotAllowed = errors.New("not allowed")
)

// Message returns what a client is told about an error: the text of the reason that it wraps, without the cause.
// It is "token invalid" for errors of other packages.
func Message(err error) string {
	for _, reason := range []error{ErrRequired, ErrExpired, ErrNotAllowed} {
		if errors.Is(err, reason) {
			return reason.Error()
		}
	}
	return ErrInvalid.Error()
}

// Code returns Message with underscores between the words.
func Code(err error) string { return strings.ReplaceAll(Message(err), " ", "_") }
