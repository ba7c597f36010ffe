package webhook

import (
	"crypto/rand"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Kind is what a hook tells of.
type Kind uint8

// The kinds of hooks.
const (
	Connect Kind = iota
	Event
	Disconnect
	kinds
)

// String returns the type of the hook: "socket.connect", "socket.event" or "socket.disconnect".
func (k Kind) String() string {
	return [...]string{"socket.connect", "socket.event", "socket.disconnect"}[k]
}

// Data is what a hook tells of a socket. Values of JSON that are nil become null.
type Data struct {
	Namespace string `json:"namespace"`
	// Socket is the id.
	Socket string `json:"socket"`
	// User and Claims are from the client's token.
	User   string         `json:"user"`
	Claims jsontext.Value `json:"claims"`
	// Address is the client's address without its port.
	Address string `json:"address"`
	// Headers are header fields of the client's first request, the names in lower case.
	Headers map[string]string `json:"headers"`
	// Query is the query of that request. A name that came several times has a list.
	Query map[string]any `json:"query"`
	// Auth is the client's auth payload without its token.
	Auth jsontext.Value `json:"auth"`

	// Event and Args are those of an event.
	Event string         `json:"event,omitzero"`
	Args  jsontext.Value `json:"args,omitzero"`
	// Reason is that of a disconnect.
	Reason string `json:"reason,omitzero"`
}

// body makes the body of a hook.
func body(kind Kind, node string, at time.Time, d *Data) ([]byte, error) {
	return json.Marshal(&struct {
		Type      string `json:"type"`
		Timestamp string `json:"timestamp"`
		Node      string `json:"node"`
		Data      *Data  `json:"data"`
	}{kind.String(), at.UTC().Format("2006-01-02T15:04:05.000Z"), node, d},
		json.Deterministic(true), jsontext.AllowInvalidUTF8(true))
}

// newID is the id of a hook, the same in all of its attempts.
func newID() string { return "msg_" + rand.Text() }
