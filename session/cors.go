package session

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// CORS says what pages of other origins may do (Fetch standard, section 3.3). Immutable once given to New.
// The zero value sends no CORS headers, as the reference server does without its cors option.
type CORS struct {
	// Origins are the origins allowed, as browsers write them ("https://app.example", without a path or a slash at the
	// end), or "*" alone for all of them, which excludes Credentials.
	Origins []string
	// Match, when set, allows further origins, such as those of a pattern. It gets what a request's Origin field says, and
	// runs on the event loop: it must be quick and must not block. One that panics allows nothing.
	Match func(origin string) bool
	// Credentials allows cookies and authorization.
	Credentials bool
	// Methods of a preflight's answer. Default GET, HEAD, PUT, PATCH, POST and DELETE, as the reference's.
	Methods []string
	// Headers of a preflight's answer. Default: those that it asks for.
	Headers []string
	// Exposed are the header fields of answers that pages may read.
	Exposed []string
	// MaxAge is how long, in whole seconds, a browser may rely on a preflight's answer. None is told when zero.
	MaxAge time.Duration
	// PreflightStatus is the status of a preflight's answer, 200 to 299. Default 204.
	PreflightStatus int
	// Enforce refuses requests with an Origin header that is not in Origins, on both transports, with 403. A
	// request without one is no browser's and passes. Without it an origin that is not allowed is only not told
	// so, and its page cannot read the answers; a WebSocket is open to it, and so is JSONP. Enforce shuts both: a JSONP
	// handshake, which browsers send without an Origin header, is refused.
	Enforce bool
	// SameHost lets pages of the server's own host pass Enforce, whatever their scheme: those whose Origin names the
	// host and port of the request's Host field.
	SameHost bool
}

// validate returns an error for what no browser would heed.
func (c *CORS) validate() error {
	for _, o := range c.Origins {
		if o == "*" && len(c.Origins) == 1 {
			continue
		}
		if err := checkOrigin(o); err != nil {
			return err
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

// validateAny refuses "*" where credentials are allowed: there browsers take it for a name like others, so that nobody is
// allowed (Fetch standard, section 3.3.5).
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

// corsTable is the CORS answer for each origin, made once. Immutable.
type corsTable struct {
	on, any, enforce, sameHost bool
	byOrigin                   map[string][]string
	others                     []string
	methods, headers, maxAge   string
	// common are the fields of all answers that tell of an origin; match is CORS.Match.
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

// allowing are the fields for an origin that is allowed.
func (t *corsTable) allowing(origin string) []string {
	return append([]string{"Access-Control-Allow-Origin", origin, "Vary", "Origin"}, t.common...)
}

// matches asks the application about an origin that is not in the table.
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

// headersFor are the name/value pairs for an answer to a request with that Origin, shared and not to be changed.
func (t *corsTable) headersFor(origin []byte) []string {
	if h, ok := t.byOrigin[string(origin)]; ok {
		return h
	}
	if t.matches(origin) {
		return t.allowing(string(origin))
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
	if t.matches(origin) {
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
	if t.maxAge != "" {
		h = append(h, "Access-Control-Max-Age", t.maxAge)
	}
	return h
}
