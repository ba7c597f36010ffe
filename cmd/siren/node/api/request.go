package api

import "time"

// request is the body of a call, or one event of a batch, decoded and within its bounds.
type request struct {
	given     fieldSet
	namespace string
	// rooms, users, except and to are nil when they were left out or empty; given tells which.
	rooms, users, except, to []string
	event                    string
	// args is the JSON array of the arguments, a part of the body; nil when it was left out.
	args                   []byte
	volatile, local, close bool
	emits                  []element
	timeout, spread        time.Duration
	limit                  int
	cursor, prefix         string
	user                   string
	before                 time.Time
	history                bool
}

// element is one event of a batch: what it is, or what is wrong with it.
type element struct {
	request
	bad error
}

// nobody reports whether the request selects by lists that are all empty.
func (r *request) nobody() bool {
	return r.given&setOf(fieldRooms, fieldUsers) != 0 && len(r.rooms)+len(r.users) == 0
}
