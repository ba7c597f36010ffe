package config

import (
	"fmt"
	"net"
	"net/url"
	"reflect"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

// check returns what is wrong with keys that are right by themselves. Those in bad are not looked at.
func (l *Loaded) check(bad map[string]bool) Problems {
	c := &checker{Loaded: l, bad: bad}
	c.queue()
	c.drain()
	c.reusePort()
	c.forward()
	c.origins()
	c.admin()
	c.tls()
	c.metrics()
	c.namespaces()
	c.auth()
	c.adminUI()
	c.broker()
	return c.problems
}

type checker struct {
	*Loaded
	bad      map[string]bool
	problems Problems
}

// add enters a problem of a key, at the place of its value.
func (c *checker) add(key, format string, args ...any) {
	c.problems = append(c.problems, c.from[key].problem(key, fmt.Sprintf(format, args...)))
}

// isBad tells whether one of the keys, or an item of it, has a problem of its own.
func (c *checker) isBad(keys ...string) bool {
	for key := range c.bad {
		for _, k := range keys {
			if key == k || strings.HasPrefix(key, k+"[") || strings.HasPrefix(key, k+".") {
				return true
			}
		}
	}
	return false
}

// same tells whether two values are equal; a list that is nil has no items.
func same(a, b any) bool {
	if x, ok := a.([]string); ok {
		y, _ := b.([]string)
		return slices.Equal(x, y)
	}
	return reflect.DeepEqual(a, b)
}

func (c *checker) queue() {
	payload, queue := c.Config.Engine.MaxPayload, c.Config.Limits.QueueBytes
	if !c.isBad("engine.max_payload", "limits.queue_bytes") && queue < 2*payload {
		c.add("limits.queue_bytes", "is %d, less than twice engine.max_payload (%d); must be at least %d",
			queue, payload, 2*payload)
	}
}

func (c *checker) drain() {
	if d := &c.Config.Drain; !c.isBad("drain.spread", "drain.timeout") && d.Spread > d.Timeout {
		c.add("drain.spread", "is %v, more than drain.timeout (%v)", d.Spread, d.Timeout)
	}
}

// reusePort refuses sockets that two processes cannot share.
func (c *checker) reusePort() {
	if !c.Config.ReusePort || c.isBad("listen", "admin.listen", "reuse_port") {
		return
	}
	for _, a := range append(slices.Clone(c.Config.Listen), c.Config.Admin.Listen) {
		if strings.HasPrefix(a, "unix:") {
			c.add("reuse_port", "processes cannot share the unix socket %s", a)
			return
		}
	}
	if runtime.GOOS != "linux" {
		c.add("reuse_port", "works on Linux alone")
	}
}

// forwardSecretMin is the shortest secret of forward.secret_file.
const forwardSecretMin = 16

// forward refuses to pass requests on without a secret, or where other nodes could not find the node.
func (c *checker) forward() {
	f := &c.Config.Forward
	if f.Listen == "" || c.isBad("forward") {
		if f.Listen == "" && len(f.Peers) > 0 {
			c.add("forward.peers", "needs forward.listen")
		}
		return
	}
	host, port, _ := net.SplitHostPort(f.Listen)
	ip := net.ParseIP(host)
	switch secrets := f.SecretFile.Lines; {
	case len(secrets) == 0:
		c.add("forward.listen", "needs a secret that all nodes share: forward.secret_file")
	case len(secrets) > 1:
		c.add("forward.secret_file", "has %d lines; one secret is for all nodes", len(secrets))
	case len(secrets[0]) < forwardSecretMin:
		c.add("forward.secret_file", "has a secret of %d characters; must have at least %d", len(secrets[0]), forwardSecretMin)
	}
	if f.Advertise == "" && (host == "" || ip != nil && ip.IsUnspecified()) {
		c.add("forward.listen", "%q is an address of all networks: set forward.advertise to the one that other nodes "+
			"connect to", f.Listen)
	}
	if c.Config.ReusePort && port != "0" {
		c.add("forward.listen", "has the port %s, but with reuse_port two processes listen at the same time: use port 0, "+
			"and a broker by which nodes find each other", port)
	}
}

func (c *checker) origins() {
	if list := c.Config.CORS.Origins; !c.isBad("cors.origins") && len(list) > 1 && slices.Contains(list, "*") {
		c.add("cors.origins", `"*" stands alone`)
	}
}

// admin refuses an operators' listener that others could reach without a key.
func (c *checker) admin() {
	a := &c.Config.Admin
	unsure := c.isBad("admin.listen", "admin.api_keys", "admin.api_keys_file")
	if unsure || a.Listen == "" || a.Private() || len(a.Keys()) > 0 {
		return
	}
	c.add("admin.listen", "%q can be reached by others, which needs a key: set admin.api_keys or admin.api_keys_file, "+
		"or listen on 127.0.0.1 or a unix socket", a.Listen)
}

// tls refuses half of a certificate, and one for a unix socket.
func (c *checker) tls() {
	t, listen := &c.Config.Admin.TLS, c.Config.Admin.Listen
	switch {
	case t.CertFile != "" && t.KeyFile == "":
		c.add("admin.tls.cert_file", "needs admin.tls.key_file")
	case t.CertFile == "" && t.KeyFile != "":
		c.add("admin.tls.key_file", "needs admin.tls.cert_file")
	case t.CertFile != "" && strings.HasPrefix(listen, "unix://") && !c.isBad("admin.listen"):
		c.add("admin.tls.cert_file", "is for a TCP address; admin.listen is a unix socket, which needs no TLS")
	}
}

// metrics refuses to ask for a key that nobody has.
func (c *checker) metrics() {
	a := &c.Config.Admin
	if a.ProtectMetrics && len(a.Keys()) == 0 && !c.isBad("admin.api_keys", "admin.api_keys_file") {
		c.add("admin.protect_metrics", "needs a key: set admin.api_keys or admin.api_keys_file")
	}
}

// AdminUINamespace is the namespace of the Admin UI.
const AdminUINamespace = "/admin"

// hashCostMax is the greatest cost of a hash. Each step doubles the time of a check: 16 takes seconds.
const hashCostMax = 16

// adminUI refuses an Admin UI that nobody could sign in to, or everybody.
func (c *checker) adminUI() {
	u := &c.Config.AdminUI
	if !u.Enabled || c.isBad("admin_ui") {
		return
	}
	if u.Username == "" {
		c.add("admin_ui.enabled", "needs a name to sign in with: admin_ui.username")
	}
	key := "admin_ui.password_bcrypt"
	if u.PasswordBcrypt == "" && u.PasswordBcryptFile.Path != "" {
		key = "admin_ui.password_bcrypt_file"
	}
	switch hashes := u.Hashes(); {
	case len(hashes) == 0:
		c.add("admin_ui.enabled", "needs the bcrypt hash of a password: admin_ui.password_bcrypt or password_bcrypt_file")
	case len(hashes) > 1:
		c.add(key, "is there twice: there are %d hashes, and one person signs in", len(hashes))
	default:
		if cost, err := bcrypt.Cost([]byte(hashes[0])); err != nil {
			c.add(key, "is no bcrypt hash, such as $2b$10$…")
		} else if cost > hashCostMax {
			c.add(key, "has the cost %d; a check would take too long, at most %d is allowed", cost, hashCostMax)
		}
	}
	for i, rule := range c.Config.Namespaces {
		if rule.Name == AdminUINamespace {
			c.add(fmt.Sprintf("namespaces[%d].name", i), "%q is the namespace of the Admin UI, admin_ui.enabled", rule.Name)
		}
	}
}

// Private tells whether only this machine reaches the operators' listener.
func (a *Admin) Private() bool {
	network, target, found := strings.Cut(a.Listen, "://")
	if !found {
		target = a.Listen
	}
	if network == "unix" {
		return true
	}
	host, _, err := net.SplitHostPort(target)
	return err == nil && Loopback(host)
}

func (c *checker) namespaces() {
	names := map[string]int{}
	for i, rule := range c.Config.Namespaces {
		at := fmt.Sprintf("namespaces[%d]", i)
		if c.isBad(at+".name", at+".pattern") || c.bad[at] {
			continue
		}
		switch {
		case rule.Name == "" && rule.Pattern == "":
			c.add(at, "needs a name or a pattern")
		case rule.Name != "" && rule.Pattern != "":
			c.add(at, "has both a name and a pattern; they are two rules")
		}
		if rule.Name == "" {
			continue
		}
		if first, twice := names[rule.Name]; twice {
			c.add(at+".name", "%q has a rule already, namespaces[%d]", rule.Name, first)
			continue
		}
		names[rule.Name] = i
	}
}

// auth refuses to ask for what cannot be checked or sent.
func (c *checker) auth() {
	jwt, hooks := &c.Config.Auth.JWT, &c.Config.Webhooks
	unsure := c.isBad("auth.jwt.hmac_secrets", "auth.jwt.hmac_secrets_file", "auth.jwt.public_key_file",
		"auth.jwt.jwks_url", "auth.jwt.jwks_file")
	const why = "needs a key to check tokens with: auth.jwt.hmac_secrets, public_key_file, jwks_url or jwks_file"
	if c.Config.Auth.Required && !jwt.Enabled() && !unsure {
		c.add("auth.required", why)
	}
	for i, rule := range c.Config.Namespaces {
		at := fmt.Sprintf("namespaces[%d]", i)
		if rule.Auth == "token" && !jwt.Enabled() && !unsure {
			c.add(at+".auth", why)
		}
		if len(rule.WebhookEvents) > 0 && hooks.URL == "" && !c.isBad("webhooks.url") {
			c.add(at+".webhook_events", "needs webhooks.url")
		}
	}
}

// Enabled tells whether there is a key to check tokens with.
func (j *JWT) Enabled() bool {
	return len(j.Secrets()) > 0 || j.PublicKeyFile != "" || j.JWKSURL != "" || j.JWKSFile != ""
}

// broker refuses half of a broker in the nodes themselves.
func (c *checker) broker() {
	e := &c.Config.Broker.Embedded
	if c.isBad("broker", "reuse_port") {
		return
	}
	if c.Config.Broker.URL != EmbeddedBroker {
		for key, set := range map[string]bool{
			"broker.embedded.listen": e.Listen != "", "broker.embedded.routes": len(e.Routes) > 0,
			"broker.embedded.secret_file": e.SecretFile.Path != "",
		} {
			if set {
				c.add(key, "needs broker.url: embedded")
			}
		}
		return
	}
	if e.Listen == "" {
		c.add("broker.url", "embedded needs the address that other nodes connect to: broker.embedded.listen")
	}
	if len(e.SecretFile.Lines) == 0 {
		c.add("broker.url", "embedded needs a secret that the nodes share: broker.embedded.secret_file")
	}
	if c.Config.ReusePort {
		c.add("reuse_port", "two processes cannot share a broker in the node; use one outside")
	}
}

// redacted is a URL, or a list of them, without passwords. A user without a password is a token for NATS.
func redacted(v string) string {
	parts := strings.Split(v, ",")
	for i, part := range parts {
		u, err := url.Parse(strings.TrimSpace(part))
		if err != nil {
			return mask[1 : len(mask)-1]
		}
		if _, has := u.User.Password(); u.User != nil && !has && (u.Scheme == "nats" || u.Scheme == "tls") {
			u.User = url.User("xxxxx") // as Redacted shows passwords
		}
		parts[i] = u.Redacted()
	}
	return strings.Join(parts, ",")
}
