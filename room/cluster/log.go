package cluster

import (
	"cmp"
	"context"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/seed58c87869/siren/codec/sio"
)

// Log is an optional interface of an Adapter whose broker keeps what is broadcast, so that a client that was cut off
// can come back at any node. Safe for concurrent use.
//
// In a namespace that is subscribed with SubscribeLog, the node's own broadcasts come back to receive too, in the
// order in which the broker has them, and the server delivers them only then: so every client gets events in the order
// of their offsets, and has missed those after its last one. The messages of the log are those of the kind Broadcast
// without Request. A broadcast that does not come back in a bounded time, or while the broker is down, is handed over
// without an offset: the node's own clients do not wait for the broker.
type Log interface {
	// HasLog reports whether the broker keeps a log. It is asked before namespaces are subscribed, and does not change.
	HasLog() bool
	// SubscribeLog is Adapter.Subscribe for a namespace whose clients may recover. The first message, as soon as the
	// broker can be reached, is a LogPosition. Another one follows wherever messages may be missing.
	SubscribeLog(namespace string, receive func(m *Message)) error
	// InOrder has fn called behind the broadcasts that this node has published in the namespace and that have not come
	// back, on the goroutine that calls receive. fn must not block for long. It returns false, and does not take fn, if
	// there are none.
	InOrder(namespace string, fn func()) bool
	// SaveSession stores a session, replacing one with its private id, for that time. It does not block.
	SaveSession(s *Session, ttl time.Duration) error
	// TakeSession removes the session with that private id and returns it; nil if there is none. Of several nodes that ask
	// for it, one gets it. It blocks until ctx ends at most, and fails at once while the broker does not answer.
	TakeSession(ctx context.Context, pid string) (*Session, error)
	// ReadLog calls each with the messages of a namespace after one offset up to another one, in order, until it returns
	// false. Own ones are included. It returns ErrGone if the log no longer has the message at the first offset, because
	// messages behind it may be gone too. It blocks and fails as TakeSession does.
	ReadLog(ctx context.Context, namespace string, after, until Offset, each func(m *Message) bool) error
}

// Session is the state with which an absent client may come back. Immutable.
type Session struct {
	// PID is the private id, a secret of the client. ID is the socket's.
	PID, ID string
	// Namespace is empty if the node that saved the session did not tell.
	Namespace string
	// Rooms are the socket's rooms, its own id included.
	Rooms []string
	User  string
	// Data is the part of the socket's data that other nodes may see: a JSON value, or nothing.
	Data sio.Raw
	// Base is an offset up to which the client has got, or did not want, all messages. Zero if that is not known.
	Base Offset
	// Tag tells the sessions with the same private id apart; empty if they cannot be.
	Tag string
}

// Offset is the position of a message in a broker's log. Later messages have greater ones. Immutable; the zero value
// is none. Its text, two decimal numbers with a hyphen between them, is what clients are told and what the reference
// expects of them.
type Offset struct{ Major, Minor uint64 }

// ParseOffset reads the text of an offset. It returns false if it is not one.
func ParseOffset(text string) (o Offset, ok bool) {
	major, minor, found := strings.Cut(text, "-")
	if !found {
		return Offset{}, false
	}
	if o.Major, ok = parseNumber(major); !ok {
		return Offset{}, false
	}
	if o.Minor, ok = parseNumber(minor); !ok {
		return Offset{}, false
	}
	return o, true
}

// numberLen is the length of the greatest number.
const numberLen = 20

// parseNumber reads digits alone: a sign is not part of an offset.
func parseNumber(text string) (n uint64, ok bool) {
	if text == "" || len(text) > numberLen {
		return 0, false
	}
	for _, c := range []byte(text) {
		d := uint64(c - '0')
		if c < '0' || c > '9' || n > math.MaxUint64/10 || n*10 > math.MaxUint64-d {
			return 0, false
		}
		n = n*10 + d
	}
	return n, true
}

// String returns the text.
func (o Offset) String() string {
	var b [2*numberLen + 1]byte
	text := append(strconv.AppendUint(b[:0], o.Major, 10), '-')
	return string(strconv.AppendUint(text, o.Minor, 10))
}

// IsZero reports whether there is no offset.
func (o Offset) IsZero() bool { return o == Offset{} }

// Compare returns -1, 0 or 1 for an earlier, the same or a later message.
func (o Offset) Compare(p Offset) int {
	return cmp.Or(cmp.Compare(o.Major, p.Major), cmp.Compare(o.Minor, p.Minor))
}
