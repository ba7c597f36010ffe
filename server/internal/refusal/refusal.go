// Package refusal has the error with which a program refuses a client.
package refusal

import (
	"encoding/json"
	"errors"

	"github.com/seed58c87869/siren/server/internal/packets"
)

// Refusal is an error whose text and data are sent to the client. Immutable.
type Refusal struct {
	// Message is sent to the client.
	Message string
	// Data is sent too if HasData is set, as JSON without attachments.
	Data    any
	HasData bool
	// Cause is what is broken, if that is why the client is refused, or nil. It stays on the server, and a connect that
	// is refused with one counts as failed rather than denied.
	Cause error
}

// Unwrap returns the cause.
func (r *Refusal) Unwrap() error { return r.Cause }

// Error is the message.
func (r *Refusal) Error() string { return r.Message }

// MarshalJSON gives the refusal the form of a CONNECT_ERROR: an object with its message and, if there is some, its
// data.
func (r *Refusal) MarshalJSON() ([]byte, error) {
	if !r.HasData {
		return json.Marshal(map[string]string{"message": r.Message})
	}
	return json.Marshal(struct {
		Message string `json:"message"`
		Data    any    `json:"data"`
	}{r.Message, r.Data})
}

// As returns the refusal in an error, if there is one.
func As(err error) (*Refusal, bool) {
	var r *Refusal
	ok := errors.As(err, &r)
	return r, ok
}

// Answer is what an acknowledgement carries in place of a result.
type Answer struct {
	Error string `json:"error"`
	Data  any    `json:"data,omitempty"`
}

// AnswerTo returns what a client is told of a handler's error.
func AnswerTo(err error) Answer {
	if r, ok := As(err); ok {
		return Answer{Error: r.Message, Data: r.Data}
	}
	if errors.Is(err, packets.ErrDecode) {
		return Answer{Error: "invalid arguments"}
	}
	return Answer{Error: "internal error"}
}
