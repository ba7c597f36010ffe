package eio

import (
	"encoding/json"
	"strings"
	"time"
)

// Handshake is what is known of the request that opened a session. Its JSON is the object that socket.handshake is in
// the reference. Immutable.
type Handshake struct {
	// Headers has canonical names.
	Headers map[string][]string
	Query   map[string][]string
	// Auth is the payload of CONNECT as JSON; nil if there was none.
	Auth    []byte
	Address string
	URL     string
	// Issued is the time at which the request was handled.
	Issued time.Time
	// Secure reports whether the request came over TLS, CrossDomain whether it had an Origin.
	Secure, CrossDomain bool
}

// handshakeJSON has the members of Handshake's JSON in the order of the reference.
type handshakeJSON struct {
	Headers map[string]values `json:"headers"`
	Time    string            `json:"time"`
	Address string            `json:"address"`
	XDomain bool              `json:"xdomain"`
	Secure  bool              `json:"secure"`
	Issued  int64             `json:"issued"`
	URL     string            `json:"url"`
	Query   map[string]values `json:"query"`
	Auth    json.RawMessage   `json:"auth,omitempty"`
}

// values are the values of a name: a string if there is one, else a list.
type values []string

// MarshalJSON implements json.Marshaler.
func (v values) MarshalJSON() ([]byte, error) {
	if len(v) == 1 {
		return json.Marshal(v[0])
	}
	return json.Marshal([]string(v))
}

// UnmarshalJSON implements json.Unmarshaler.
func (v *values) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*v = values{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(v))
}

// MarshalJSON implements json.Marshaler. As in Node, names of headers are in lower case, and several values of a header
// are one text.
func (h Handshake) MarshalJSON() ([]byte, error) {
	out := handshakeJSON{
		Headers: make(map[string]values, len(h.Headers)), Time: dateText(h.Issued), Address: h.Address, XDomain: h.CrossDomain,
		Secure: h.Secure, Issued: h.Issued.UnixMilli(), URL: h.URL, Query: make(map[string]values, len(h.Query)), Auth: h.Auth,
	}
	for name, list := range h.Headers {
		between := ", "
		if name == "Cookie" {
			between = "; "
		}
		out.Headers[strings.ToLower(name)] = values{strings.Join(list, between)}
	}
	for name, list := range h.Query {
		out.Query[name] = list
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads what MarshalJSON has written, or a node that runs the reference. Times have milliseconds then,
// and a header one value.
func (h *Handshake) UnmarshalJSON(b []byte) error {
	var in handshakeJSON
	if err := json.Unmarshal(b, &in); err != nil {
		return err
	}
	*h = Handshake{
		Headers: make(map[string][]string, len(in.Headers)), Query: make(map[string][]string, len(in.Query)), Auth: in.Auth,
		Address: in.Address, URL: in.URL, Issued: time.UnixMilli(in.Issued), Secure: in.Secure, CrossDomain: in.XDomain,
	}
	for name, list := range in.Headers {
		h.Headers[canonicalHeader(name)] = list
	}
	for name, list := range in.Query {
		h.Query[name] = list
	}
	return nil
}

// canonicalHeader is the name of a header with a capital at the beginning of each part.
func canonicalHeader(name string) string {
	parts := strings.Split(strings.ToLower(name), "-")
	for i, p := range parts {
		if p != "" {
			parts[i] = strings.ToUpper(p[:1]) + p[1:]
		}
	}
	return strings.Join(parts, "-")
}

// dateText returns a time in the form of JavaScript's Date.prototype.toString.
func dateText(t time.Time) string {
	return t.UTC().Format("Mon Jan 02 2006 15:04:05") + " GMT+0000 (Coordinated Universal Time)"
}
