package session

import (
	"bytes"
	"fmt"
	"strings"
)

// CORS says what pages of other origins may do (Fetch standard, section 3.3). Immutable once given to New.
// The zero value sends no CORS headers, as the reference server does without its cors option.
type CORS struct {
	// Origins are the origins allowed, or "*" alone for all of them.
	Origins []string
	// Credentials allows cookies and authorization.
	Credentials bool
	// Methods of a preflight's answer. Default GET, HEAD, PUT, PATCH, POST and DELETE, as the reference's.
	Methods []string
	// Headers of a preflight's answer. Default: those that it asks for.
	Headers []string
	// Enforce refuses requests with an Origin header that is not in Origins, on both transports, with 403. A
	// request without one is no browser's and passes. Without it an origin that is not allowed is only not told
	// so, and its page cannot read the answers; a WebSocket is open to it, and so is JSONP. Enforce shuts both: a JSONP
	// handshake, which browsers send without an Origin header, is refused.
	Enforce bool
	// SameHost lets pages of the server's own host pass Enforce, whatever their scheme: those whose Origin names the
	// host and port of the request's Host field.
	SameHost bool
}

func (c *CORS) validate() error {
	for _, o := range c.Origins {
		if o == "" || strings.ContainsAny(o, " \t\r\n,") {
			return fmt.Errorf("session: Config.CORS.Origins has %q, which is no origin", o)
		}
		if o == "*" && len(c.Origins) > 1 {
			return fmt.Errorf("session: Config.CORS.Origins: \"*\" stands alone")
		}
	}
	for _, h := range append(append([]string{}, c.Methods...), c.Headers...) {
		if strings.ContainsAny(h, " \t\r\n,") || h == "" {
			return fmt.Errorf("session: Config.CORS has %q, which is no token", h)
		}
	}
	if c.Enforce && len(c.Origins) == 0 {
		return fmt.Errorf("session: Config.CORS.Enforce needs Origins")
	}
	return nil
}

// corsTable is the CORS answer for each origin, made once. Immutable.
type corsTable struct {
	on, any, enforce, sameHost bool
	byOrigin                   map[string][]string
	others                     []string
	methods, headers           string
}

func (c *CORS) table() *corsTable {
	t := &corsTable{on: len(c.Origins) > 0, enforce: c.Enforce, sameHost: c.SameHost, byOrigin: map[string][]string{}}
	t.methods = "GET,HEAD,PUT,PATCH,POST,DELETE"
	if len(c.Methods) > 0 {
		t.methods = strings.Join(c.Methods, ",")
	}
	t.headers = strings.Join(c.Headers, ",")
	var credentials []string
	if c.Credentials {
		credentials = []string{"Access-Control-Allow-Credentials", "true"}
	}
	for _, o := range c.Origins {
		if o == "*" {
			t.any = true
			t.others = append([]string{"Access-Control-Allow-Origin", "*"}, credentials...)
			continue
		}
		t.byOrigin[o] = append([]string{"Access-Control-Allow-Origin", o, "Vary", "Origin"}, credentials...)
	}
	if t.on && !t.any {
		t.others = append([]string{"Vary", "Origin"}, credentials...)
	}
	return t
}

// headersFor are the name/value pairs for an answer to a request with that Origin, shared and not to be changed.
func (t *corsTable) headersFor(origin []byte) []string {
	if h, ok := t.byOrigin[string(origin)]; ok {
		return h
	}
	return t.others
}

// allowed reports whether a request with that Origin header, to that host, may go on.
func (t *corsTable) allowed(origin, host []byte) bool {
	if !t.enforce || t.any || len(origin) == 0 {
		return true
	}
	if _, ok := t.byOrigin[string(origin)]; ok {
		return true
	}
	_, own, found := bytes.Cut(origin, []byte("://"))
	return t.sameHost && found && len(own) > 0 && bytes.EqualFold(own, host)
}

// scripts reports whether a JSONP handshake with that Origin header may go on. Browsers load scripts without one, for
// pages of any origin, and so where origins are enforced a request without one is nobody's.
func (t *corsTable) scripts(origin []byte) bool { return !t.enforce || t.any || len(origin) > 0 }

// preflight are the headers of the answer to an OPTIONS request.
func (t *corsTable) preflight(origin, askedHeaders []byte) []string {
	h := append([]string{}, t.headersFor(origin)...)
	h = append(h, "Access-Control-Allow-Methods", t.methods)
	allow := t.headers
	if allow == "" {
		allow = string(askedHeaders)
		h = append(h, "Vary", "Access-Control-Request-Headers")
	}
	if allow != "" {
		h = append(h, "Access-Control-Allow-Headers", allow)
	}
	return h
}
