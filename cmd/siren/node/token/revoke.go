package token

import (
	"container/list"
	"sync"
	"time"
)

// DefaultMaxRevoked holds the revocations of a day on a node with more than one each second, in some 20 MB.
const DefaultMaxRevoked = 100_000

// Revocations are the users whose older tokens are refused. They are one process's, and are lost with it. Safe for
// concurrent use. The zero value holds DefaultMaxRevoked users.
type Revocations struct {
	// Max bounds the users. Beyond it the one that was revoked longest ago is forgotten: its tokens have had the
	// longest time to expire.
	Max int

	mu    sync.Mutex
	users map[string]*list.Element
	order list.List // of revocation, the oldest first
}

type revocation struct {
	user   string
	before time.Time
}

// Revoke refuses the tokens of the user that were issued before a time. A later call for the same user never makes the
// time an earlier one. It returns the user that was forgotten for it, "" if none was.
func (r *Revocations) Revoke(user string, before time.Time) (forgotten string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.users == nil {
		r.users = make(map[string]*list.Element)
	}
	if e, ok := r.users[user]; ok {
		if v := e.Value.(*revocation); before.After(v.before) {
			v.before = before
		}
		r.order.MoveToBack(e)
		return ""
	}
	limit := r.Max
	if limit <= 0 {
		limit = DefaultMaxRevoked
	}
	if r.order.Len() >= limit {
		oldest := r.order.Remove(r.order.Front()).(*revocation)
		delete(r.users, oldest.user)
		forgotten = oldest.user
	}
	r.users[user] = r.order.PushBack(&revocation{user, before})
	return forgotten
}

// Revoked reports whether the token is refused: its user was revoked, and it was issued before that time or does not
// say when.
func (r *Revocations) Revoked(c *Claims) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.users) == 0 {
		return false
	}
	e, ok := r.users[c.Subject()]
	return ok && c.Issued().Before(e.Value.(*revocation).before) // no time is before any other
}

// Len returns the number of users.
func (r *Revocations) Len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.order.Len()
}
