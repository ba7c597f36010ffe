package profile

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/seed58c87869/siren/bench/client"
	"github.com/seed58c87869/siren/codec/sio"
)

// Who gets a publication.
const (
	toEveryone = "everyone"
	toOthers   = "others"
	toSender   = "sender"
)

// timeUnits are the values of expect.time_unit.
var timeUnits = map[string]time.Duration{"s": time.Second, "ms": time.Millisecond, "us": time.Microsecond, "ns": 1}

// fill replaces what is left out by the defaults.
func (p *Profile) fill() {
	set := func(d *time.Duration, value time.Duration) {
		if *d == 0 {
			*d = value
		}
	}
	set(&p.Drain, DefaultDrain)
	set(&p.Connect.Timeout, DefaultTimeout)
	if p.Connect.InFlight == 0 {
		p.Connect.InFlight = DefaultInFlight
	}
	if p.Connect.Namespace == "" {
		p.Connect.Namespace = "/"
	}
	if len(p.Connect.Transports) == 0 {
		p.Connect.Transports = []string{string(client.WebSocket)}
	}
	if j := p.Join; j != nil {
		set(&j.Settle, DefaultSettle)
	}
	if x := p.Publish; x != nil && x.HTTP != nil {
		if x.HTTP.Method == "" {
			x.HTTP.Method = "POST"
		}
		if x.HTTP.InFlight == 0 {
			x.HTTP.InFlight = 1
		}
	}
	if e := p.Expect; e != nil {
		if e.To == "" {
			e.To = toEveryone
		}
		if e.TimeUnit == "" {
			e.TimeUnit = "ms"
		}
	}
}

// checker collects what is wrong.
type checker struct {
	*Profile
	list problems
}

// add enters a problem of a key.
func (c *checker) add(key, format string, args ...any) {
	text := key + ": " + fmt.Sprintf(format, args...)
	if line := c.lines.of(key); line > 0 {
		text = fmt.Sprintf("%s:%d: %s", c.name, line, text)
	} else {
		text = c.name + ": " + text
	}
	c.list = append(c.list, text)
}

// check returns what is wrong with a profile whose keys are right by themselves, and compiles the templates.
func (p *Profile) check() problems {
	c := &checker{Profile: p}
	c.target()
	c.connect()
	c.tls()
	c.join()
	c.publish()
	c.expect()
	c.stages()
	return c.list
}

// SetTarget replaces the target, as the command line does.
func (p *Profile) SetTarget(raw string) error {
	c := &checker{Profile: p}
	p.Target = raw
	if c.target(); len(c.list) > 0 {
		return c.list
	}
	return nil
}

func (c *checker) target() {
	u, err := url.Parse(c.Target)
	if c.Target == "" {
		c.add("target", "is missing: want the URL of the server, such as http://127.0.0.1:3000")
		return
	}
	if err != nil || u.Host == "" || !slices.Contains([]string{"http", "https", "ws", "wss"}, u.Scheme) {
		c.add("target", "%q is no URL of a server: want http://host:port or https://host:port", c.Target)
		return
	}
	if c.Connect.Path != "" {
		if !strings.HasPrefix(c.Connect.Path, "/") {
			c.add("connect.path", "%q must begin with a slash", c.Connect.Path)
		}
		u.Path = c.Connect.Path
	}
	c.options.URL = u
}

// template compiles a text or value and reports its problem.
func (c *checker) template(key string, t *template, err error) *template {
	if err != nil {
		c.add(key, "%v", err)
	}
	return t
}

// texts compiles the values of a mapping.
func (c *checker) texts(key string, m map[string]string) map[string]*template {
	out := make(map[string]*template, len(m))
	for _, name := range sorted(m) {
		t, err := compileText(m[name], c.data.columns)
		out[name] = c.template(key+"."+name, t, err)
	}
	return out
}

func (c *checker) connect() {
	n := &c.Connect
	if n.Data != "" {
		var err error
		if c.data, err = readTable(c.resolve(n.Data)); err != nil {
			c.add("connect.data", "%v", err)
		}
	}
	if !sio.ValidNamespace(n.Namespace) {
		c.add("connect.namespace", "%q is no namespace: it begins with a slash and has no comma or question mark", n.Namespace)
	}
	switch strings.Join(n.Transports, " ") {
	case "websocket":
		c.options.Transport = client.WebSocket
	case "polling":
		c.options.Transport = client.Polling
	case "polling websocket":
		c.options.Transport = client.Upgrade
	default:
		c.add("connect.transports", "want [websocket], [polling], or [polling, websocket] for an upgrade")
	}
	c.duration("connect.timeout", n.Timeout)
	c.number("connect.in_flight", n.InFlight, 1, usersMax)
	c.options.Namespace, c.options.Timeout = n.Namespace, n.Timeout
	c.headers, c.query = c.texts("connect.headers", n.Headers), c.texts("connect.query", n.Query)
	if n.Auth != nil {
		t, err := compileJSON(n.Auth, c.data.columns)
		c.auth = c.template("connect.auth", t, err)
	}
}

func (c *checker) duration(key string, d time.Duration) {
	if d < 0 || d > durationMax {
		c.add(key, "want a duration up to %v, not %v", durationMax, d)
	}
}

func (c *checker) number(key string, n, low, high int) {
	if n < low || n > high {
		c.add(key, "want a number from %d to %d, not %d", low, high, n)
	}
}

func (c *checker) tls() {
	t := &c.Connect.TLS
	config := &tls.Config{ServerName: t.ServerName, InsecureSkipVerify: t.Insecure}
	if t.CAFile != "" {
		text, err := os.ReadFile(c.resolve(t.CAFile))
		config.RootCAs = x509.NewCertPool()
		if err != nil {
			c.add("connect.tls.ca_file", "%v", err)
		} else if !config.RootCAs.AppendCertsFromPEM(text) {
			c.add("connect.tls.ca_file", "%s has no certificate in PEM", t.CAFile)
		}
	}
	switch {
	case t.CertFile != "" && t.KeyFile != "":
		pair, err := tls.LoadX509KeyPair(c.resolve(t.CertFile), c.resolve(t.KeyFile))
		if err != nil {
			c.add("connect.tls.cert_file", "%v", err)
		}
		config.Certificates = []tls.Certificate{pair}
	case t.CertFile != "":
		c.add("connect.tls.cert_file", "needs key_file")
	case t.KeyFile != "":
		c.add("connect.tls.key_file", "needs cert_file")
	}
	if c.Connect.TLS != (TLS{}) && c.options.URL != nil && !strings.HasSuffix(c.options.URL.Scheme, "s") {
		c.add("connect.tls", "is for https:// and wss://; the target is %s", c.Target)
	}
	c.options.TLS = config
}

func (c *checker) join() {
	j := c.Join
	if j == nil {
		return
	}
	c.event("join.emit", j.Emit)
	t, err := compileList(j.Args, c.data.columns)
	j.args = c.template("join.args", t, err)
	if j.args.has(placeSequence, placeTime, placeMark) {
		c.add("join.args", "have {{sequence}}, {{time}} or {{mark}}, which belong to a publication")
	}
	if j.AckError != "" && !j.Ack {
		c.add("join.ack_error", "needs ack: true")
	}
	c.place("join.ack_error", j.AckError)
	c.duration("join.settle", j.Settle)
}

// event checks the name of an event.
func (c *checker) event(key, name string) {
	switch {
	case name == "":
		c.add(key, "is missing: want the name of an event")
	case sio.Reserved(name):
		c.add(key, "%q is reserved by Socket.IO", name)
	}
}

// place checks a place in the arguments, and returns it.
func (c *checker) place(key, text string) path {
	p, err := parsePath(text)
	if err != nil {
		c.add(key, "%v", err)
	}
	return p
}

func (c *checker) publish() {
	x := c.Publish
	if x == nil {
		return
	}
	if (x.Emit == "") == (x.HTTP == nil) {
		c.add("publish", "want either emit or http")
	}
	if x.Emit != "" {
		c.event("publish.emit", x.Emit)
	}
	t, err := compileList(x.Args, c.data.columns)
	x.args = c.template("publish.args", t, err)
	if x.AckError != "" && !x.Ack {
		c.add("publish.ack_error", "needs ack: true")
	}
	c.place("publish.ack_error", x.AckError)
	c.rate("publish.rate", float64(x.Rate))
	c.number("publish.users", x.Users, 0, usersMax)
	if h := x.HTTP; h != nil {
		c.http(h)
		if len(x.Args) > 0 || x.Ack || x.Users > 0 {
			c.add("publish.http", "has no args, ack and users: these belong to emit")
		}
	}
}

func (c *checker) rate(key string, rate float64) {
	if !(rate >= 0 && rate <= rateMax) {
		c.add(key, "want a rate from 0 to %d a second", rateMax)
	}
}

func (c *checker) http(h *HTTP) {
	u, err := url.Parse(h.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		c.add("publish.http.url", "%q is no URL of a request", h.URL)
	}
	if h.Status != 0 {
		c.number("publish.http.status", h.Status, 100, 599)
	}
	c.number("publish.http.in_flight", h.InFlight, 1, 10_000)
	h.headers = c.texts("publish.http.headers", h.Headers)
	var t *template
	if text, ok := h.Body.(string); ok {
		t, err = compileText(text, c.data.columns)
	} else if h.Body != nil {
		t, err = compileJSON(h.Body, c.data.columns)
	}
	if h.body = c.template("publish.http.body", t, err); t == nil && err == nil {
		h.body = &template{}
	}
}

func (c *checker) expect() {
	e := c.Expect
	if e == nil {
		return
	}
	c.event("expect.event", e.Event)
	if !slices.Contains([]string{toEveryone, toOthers, toSender}, e.To) {
		c.add("expect.to", "want everyone, others or sender, not %q", e.To)
	}
	e.sequence, e.time = c.place("expect.sequence", e.Sequence), c.place("expect.time", e.Time)
	if timeUnits[e.TimeUnit] == 0 {
		c.add("expect.time_unit", "want s, ms, us or ns, not %q", e.TimeUnit)
	}
	switch x := c.Publish; {
	case x == nil && e.To != toEveryone:
		c.add("expect.to", "needs publish")
	case x != nil && e.Time != "":
		c.add("expect.time", "is for servers that send by themselves; with publish the time is known")
	case x != nil && x.HTTP != nil && e.To != toEveryone:
		c.add("expect.to", "want everyone: a request by HTTP is of no user")
	case x != nil && e.Sequence != "" && !c.sends(placeSequence):
		c.add("expect.sequence", "needs {{sequence}} in what is published")
	case x != nil && e.Sequence != "" && c.sends(placeMark):
		c.add("expect.sequence", "is not needed with {{mark}}")
	}
}

// sends reports whether publications have one of these placeholders.
func (p *Profile) sends(places ...string) bool {
	x := p.Publish
	return x != nil && (x.args.has(places...) || x.HTTP != nil && x.HTTP.body.has(places...))
}

func (c *checker) stages() {
	if len(c.Stages) == 0 || len(c.Stages) > stagesMax {
		c.add("stages", "want 1 to %d stages, such as - {users: 100, ramp: 10s, hold: 30s}", stagesMax)
	}
	for i, s := range c.Stages {
		at := fmt.Sprintf("stages[%d]", i)
		c.duration(at+".ramp", s.Ramp)
		c.duration(at+".hold", s.Hold)
		if s.Users != nil {
			c.number(at+".users", *s.Users, 0, usersMax)
		}
		if s.Ramp+s.Hold == 0 {
			c.add(at, "takes no time: want ramp, hold or both")
		}
		if s.Rate != nil {
			c.rate(at+".rate", float64(*s.Rate))
			if c.Publish == nil {
				c.add(at+".rate", "needs publish")
			}
		}
	}
	if length := c.length(); length > durationMax {
		c.add("stages", "take %v together; at most %v is allowed", length, durationMax)
	}
	if len(c.Stages) > 0 && c.most() == 0 {
		c.add("stages", "have no users: want users in the first one")
	}
}
