package session

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// CORS configures what pages of other origins may do (Fetch standard, section 3.3). Immutable once passed to New.
// The zero value sends no CORS headers, as the reference server does without its cors option.
type CORS struct {
	// Origins are the allowed origins in the spelling of browsers ("https://app.example", without a path or trailing
	// slash), or "*" alone for all origins, which excludes Credentials.
	Origins []string
	// Match, if set, allows further origins, for example by a pattern. It gets the value of the Origin field and runs
	// on the event loop: it must be quick and must not block. A panic means not allowed.
	Match func(origin string) bool
	// Credentials allows cookies and authorization.
	Credentials bool
	// Methods are the methods in a preflight's response. Default GET, HEAD, PUT, PATCH, POST and DELETE, as in the
	// reference.
	Methods []string
	// Headers are the header fields in a preflight's response. Default: the requested ones.
	Headers []string
	// Exposed are the response header fields that pages may read.
	Exposed []string
	// MaxAge is how long, in whole seconds, a browser may cache a preflight's response. Zero omits the field.
	MaxAge time.Duration
	// PreflightStatus is the status of a preflight's response, 200 to 299. Default 204.
	PreflightStatus int
	// Enforce refuses requests whose Origin is not allowed with 403, on both transports. Requests without an Origin
	// header do not come from browsers and pass. Without Enforce, the page of an origin that is not allowed only cannot
	// read the responses; WebSocket and JSONP are open to it. Enforce also refuses JSONP handshakes without an Origin
	// header, because browsers send none with them.
	Enforce bool
	// SameHost lets pages of the server's own host pass Enforce, whatever their scheme: pages whose Origin has the host
	// and port of the request's Host field.
	SameHost bool
}

// validate returns an error for settings that no browser would honour.
func (c *CORS) validate() error {
	for _, o := range c.Origins {
		if o == "*" && len(c.Origins) == 1 {
			continue
		}
		if strings.Contains(o, "*") {
			return fmt.Errorf("session: Config.CORS.Origins has %q: patterns are for CORS.Match, \"*\" stands alone", o)
		}
		if err := CheckOrigin(o); err != nil {
			return fmt.Errorf("session: Config.CORS.Origins has %w", err)
		}
	}
	if err := c.validateAny(); err != nil {
		return err
	}
	for _, h := range slices.Concat(c.Methods, c.Headers, c.Exposed) {
		if strings.ContainsAny(h, " \t\r\n,") || h == "" {
			return fmt.Errorf("session: Config.CORS has %q, which is no token", h)
		}
	}
	on := len(c.Origins) > 0 || c.Match != nil
	switch {
	case c.Enforce && !on:
		return fmt.Errorf("session: Config.CORS.Enforce needs Origins or Match")
	case c.SameHost && !c.Enforce:
		return fmt.Errorf("session: Config.CORS.SameHost needs Enforce")
	case c.MaxAge < 0:
		return fmt.Errorf("session: Config.CORS.MaxAge = %v is negative", c.MaxAge)
	case 0 < c.MaxAge && c.MaxAge < time.Second:
		return fmt.Errorf("session: Config.CORS.MaxAge = %v: browsers are told whole seconds", c.MaxAge)
	}
	if s := c.PreflightStatus; s != 0 && (s < 200 || s > 299) {
		return fmt.Errorf("session: Config.CORS.PreflightStatus = %d is none of success", s)
	}
	lists := len(c.Methods) + len(c.Headers) + len(c.Exposed)
	if !on && (c.Credentials || lists > 0 || c.MaxAge != 0 || c.PreflightStatus != 0) {
		return fmt.Errorf("session: Config.CORS has settings but neither Origins nor Match, so they do nothing")
	}
	return nil
}

// validateAny refuses "*" with credentials: browsers then treat it as an ordinary name, so that no origin is allowed
// (Fetch standard, section 3.3.5).
func (c *CORS) validateAny() error {
	if !c.Credentials {
		return nil
	}
	if slices.Contains(c.Origins, "*") {
		return fmt.Errorf("session: Config.CORS.Origins is \"*\" and Config.CORS.Credentials is set: browsers refuse both together. " +
			"List the origins, or allow them with CORS.Match")
	}
	for name, list := range map[string][]string{"Methods": c.Methods, "Headers": c.Headers, "Exposed": c.Exposed} {
		if slices.Contains(list, "*") {
			return fmt.Errorf("session: Config.CORS.%s has \"*\" and Config.CORS.Credentials is set: browsers take it for a name then. "+
				"List the names", name)
		}
	}
	return nil
}

// corsTable holds the prepared CORS fields for each origin. Immutable.
type corsTable struct {
	on, any, enforce, sameHost bool
	byOrigin                   map[string][]string
	others                     []string
	methods, headers, maxAge   string
	// common has the fields of all answers for an allowed origin; match is CORS.Match.
	common []string
	match  func(origin string) bool
	status int
}

func (c *CORS) table() *corsTable {
	t := &corsTable{match: c.Match, status: 204, on: len(c.Origins) > 0 || c.Match != nil}
	t.enforce, t.sameHost, t.byOrigin = c.Enforce, c.SameHost, map[string][]string{}
	t.methods = "GET,HEAD,PUT,PATCH,POST,DELETE"
	if len(c.Methods) > 0 {
		t.methods = strings.Join(c.Methods, ",")
	}
	t.headers = strings.Join(c.Headers, ",")
	if c.PreflightStatus != 0 {
		t.status = c.PreflightStatus
	}
	if c.MaxAge > 0 {
		t.maxAge = strconv.FormatInt(int64(c.MaxAge/time.Second), 10)
	}
	if c.Credentials {
		t.common = []string{"Access-Control-Allow-Credentials", "true"}
	}
	if len(c.Exposed) > 0 {
		t.common = append(t.common, "Access-Control-Expose-Headers", strings.Join(c.Exposed, ","))
	}
	for _, o := range c.Origins {
		if o == "*" {
			t.any = true
			t.others = append([]string{"Access-Control-Allow-Origin", "*"}, t.common...)
			continue
		}
		t.byOrigin[o] = t.allowing(o)
	}
	if t.on && !t.any {
		t.others = append([]string{"Vary", "Origin"}, t.common...)
	}
	return t
}

// allowing returns the fields for an allowed origin.
func (t *corsTable) allowing(origin string) []string {
	return append([]string{"Access-Control-Allow-Origin", origin, "Vary", "Origin"}, t.common...)
}

// matches calls CORS.Match for an origin that is not in the table.
func (t *corsTable) matches(origin []byte) (ok bool) {
	if t.match == nil || len(origin) == 0 {
		return false
	}
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	return t.match(string(origin))
}

// headersFor returns the name/value pairs for a response to a request with that Origin. They are shared: do not change
// them.
func (t *corsTable) headersFor(origin []byte) []string {
	if h, ok := t.byOrigin[string(origin)]; ok {
		return h
	}
	if t.matches(origin) {
		return t.allowing(string(origin))
	}
	return t.others
}

// allowed reports whether a request with that Origin header, to that host, may proceed.
func (t *corsTable) allowed(origin, host []byte) bool {
	if !t.enforce || t.any || len(origin) == 0 {
		return true
	}
	if _, ok := t.byOrigin[string(origin)]; ok {
		return true
	}
	if t.matches(origin) {
		return true
	}
	_, own, found := bytes.Cut(origin, []byte("://"))
	return t.sameHost && found && len(own) > 0 && bytes.EqualFold(own, host)
}

// scripts reports whether a JSONP handshake with that Origin header may proceed. Browsers load scripts without one, for
// pages of any origin, so where origins are enforced a request without one is refused.
func (t *corsTable) scripts(origin []byte) bool { return !t.enforce || t.any || len(origin) > 0 }

// preflight returns the header fields of the response to an OPTIONS request.
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
	if t.maxAge != "" {
		h = append(h, "Access-Control-Max-Age", t.maxAge)
	}
	return h
}
