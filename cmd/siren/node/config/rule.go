package config

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/seed58c87869/siren/cmd/siren/node/pattern"
	"github.com/seed58c87869/siren/session"
)

// algorithms are those that tokens may be signed with.
var algorithms = []string{
	"HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
}

const (
	namespaceBytesMax = 512 // as the server takes
	secretBytesMax    = 4096
)

// textRules check a value, or one item of a list, by the name in the tag "is". Their errors are messages for a key.
var textRules = map[string]func(value string) error{
	"address":    checkAddress,
	"admin":      checkAdmin,
	"private":    checkPrivate,
	"path":       checkPath,
	"origin":     checkOrigin,
	"prefix":     checkPrefix,
	"secret":     checkSecret,
	"apikey":     checkAPIKey,
	"hooksecret": checkHookSecret,
	"url":        checkURL,
	"secureurl":  checkSecureURL,
	"broker":     checkBroker,
	"namespace":  checkNamespace,
	"regexp":     checkRegexp,
	"room":       func(v string) error { return checkName("a room", v) },
	"event":      func(v string) error { return checkName("an event", v) },
	"header":     checkHeader,
}

const addressForms = "an address is tcp://host:port, host:port, :port or unix://path"

func checkAddress(v string) error {
	if v == "" {
		return errors.New("must not be empty; " + addressForms)
	}
	network, target, found := strings.Cut(v, "://")
	if !found {
		network, target = "tcp", v
	}
	switch network {
	case "tcp", "tcp4", "tcp6":
		return checkHostPort(v, target)
	case "unix":
		if target == "" {
			return fmt.Errorf("%q has no path", v)
		}
		return nil
	}
	hint := ""
	if slices.Contains([]string{"https", "wss", "tls", "ssl"}, network) {
		hint = "; for TLS put a proxy in front"
	}
	return fmt.Errorf("%q is neither tcp:// nor unix://; %s%s", v, addressForms, hint)
}

func checkHostPort(v, target string) error {
	_, port, err := net.SplitHostPort(target)
	var bad *net.AddrError
	switch {
	case errors.As(err, &bad):
		hint := ""
		if _, err := strconv.ParseUint(target, 10, 16); err == nil {
			hint = "; for port " + target + " write :" + target
		}
		return fmt.Errorf("%q: %s; %s%s", v, bad.Err, addressForms, hint)
	case err != nil:
		return fmt.Errorf("%q: %w", v, err)
	}
	if _, err := net.LookupPort("tcp", port); err != nil || port == "" {
		return fmt.Errorf("%q: %q is not a port", v, port)
	}
	return nil
}

// checkAdmin takes an empty address, which turns the listener off.
func checkAdmin(v string) error {
	if v == "" {
		return nil
	}
	return checkAddress(v)
}

// checkPrivate takes an address of TCP, or an empty one.
func checkPrivate(v string) error {
	if v == "" {
		return nil
	}
	if strings.Contains(v, "://") {
		return fmt.Errorf("%q is not host:port", v)
	}
	return checkHostPort(v, v)
}

// ownPaths are served beside Socket.IO.
var ownPaths = []string{"/healthz", "/readyz"}

func checkPath(v string) error {
	if !strings.HasPrefix(v, "/") || strings.Trim(v, "/") == "" {
		return errors.New("must begin with a slash and be more than that")
	}
	for _, own := range ownPaths {
		if strings.TrimRight(v, "/") == own {
			return fmt.Errorf("must not be %s, which is answered by the node itself", own)
		}
	}
	return nil
}

func checkOrigin(v string) error {
	if v == "*" {
		return nil
	}
	return session.CheckOrigin(v)
}

func checkPrefix(v string) error {
	if _, err := ParsePrefix(v); err != nil {
		return fmt.Errorf("%q is neither an address nor a prefix such as 10.0.0.0/8", v)
	}
	return nil
}

// ParsePrefix takes an address, which is the prefix of itself, or a prefix.
func ParsePrefix(v string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(v); err == nil {
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	return netip.ParsePrefix(v)
}

// checkSecret, like checkAPIKey, does not repeat the value.
func checkSecret(v string) error {
	switch {
	case v == "" || len(v) > secretBytesMax:
		return fmt.Errorf("must have 1 to %d bytes", secretBytesMax)
	case hasControl(v), v != strings.TrimSpace(v):
		return errors.New("must not have control characters, or white space around it")
	}
	return nil
}

// checkHookSecret takes any secret, and whsec_ with the key in base64.
func checkHookSecret(v string) error {
	encoded, ok := strings.CutPrefix(v, "whsec_")
	if !ok {
		return checkSecret(v)
	}
	if key, err := base64.StdEncoding.DecodeString(encoded); err != nil || len(key) == 0 {
		return errors.New("must have base64 behind whsec_")
	}
	return nil
}

// checkAPIKey takes what a header field can carry.
func checkAPIKey(v string) error {
	if v == "" || len(v) > secretBytesMax {
		return fmt.Errorf("must have 1 to %d characters", secretBytesMax)
	}
	for i := range len(v) {
		if v[i] <= ' ' || v[i] >= 0x7f {
			return errors.New("must have visible ASCII characters only")
		}
	}
	return nil
}

func checkURL(v string) error {
	if v == "" {
		return nil
	}
	u, err := url.Parse(v)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return errors.New("must be a URL with http:// or https:// and a host")
	}
	return nil
}

func checkBroker(v string) error {
	if v == "" {
		return nil
	}
	if v == EmbeddedBroker {
		return nil
	}
	const forms = "must be a URL with redis://, rediss://, nats:// or tls:// and a host, unix:// and a path, or embedded"
	for part := range strings.SplitSeq(v, ",") { // of servers of one broker
		u, err := url.Parse(strings.TrimSpace(part))
		if err != nil || !(u.Host != "" && slices.Contains(brokers, u.Scheme) || u.Path != "" && u.Scheme == "unix") {
			return errors.New(forms)
		}
	}
	return nil
}

// EmbeddedBroker is the broker.url of a broker in the nodes themselves.
const EmbeddedBroker = "embedded"

// brokers are the schemes of brokers with a host.
var brokers = []string{"redis", "rediss", "nats", "tls"}

func checkSecureURL(v string) error {
	if err := checkURL(v); err != nil || v == "" {
		return err
	}
	if u, err := url.Parse(v); err == nil && u.Scheme == "http" && !Loopback(u.Hostname()) {
		return errors.New("must be a URL with https://, or with http:// and a loopback address")
	}
	return nil
}

// Loopback tells whether a host, without a port, is this machine only.
func Loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

func checkNamespace(v string) error {
	if v == "" {
		return nil // a rule has a pattern then
	}
	if v[0] != '/' || len(v) > namespaceBytesMax || strings.ContainsAny(v, ",?") || hasControl(v) {
		return fmt.Errorf("%q is not the name of a namespace: a slash, and at most %d bytes without commas, question marks "+
			"and control characters", v, namespaceBytesMax)
	}
	return nil
}

func checkRegexp(v string) error {
	if _, err := regexp.Compile(v); err != nil {
		return fmt.Errorf("must be a regular expression: %w", err)
	}
	return nil
}

func checkName(what, v string) error {
	if pattern.Check(v) != nil {
		return fmt.Errorf("%q is not the name of %s: 1 to %d bytes without control characters", v, what, pattern.MaxBytes)
	}
	return nil
}

func hasControl(v string) bool {
	return !utf8.ValidString(v) || strings.ContainsFunc(v, unicode.IsControl)
}

var headerName = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")

func checkHeader(v string) error {
	if !headerName.MatchString(v) {
		return fmt.Errorf("%q is not the name of a header field", v)
	}
	return nil
}
