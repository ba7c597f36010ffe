package admin

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/valyala/fasthttp"

	"github.com/seed58c87869/siren/cmd/siren/node/problem"
)

// Caller is who made a request. Immutable.
type Caller struct {
	// Key is the number of its key, from 1 in the order of the configuration; 0 when there are no keys. ID tells keys apart
	// also when their order has changed; it is zero without a key.
	Key int
	ID  [sha256.Size]byte
	// Address is where it called from.
	Address string
}

// keyring are the keys in force, as digests of equal length. Immutable.
type keyring [][sha256.Size]byte

// newKeyring makes a keyring of keys. Empty ones would let everybody in.
func newKeyring(keys []string) (keyring, error) {
	var ring keyring
	for i, k := range keys {
		if k == "" || strings.TrimSpace(k) != k {
			return nil, fmt.Errorf("admin: key %d is empty, or has blanks around it", i+1)
		}
		ring = append(ring, sha256.Sum256([]byte(k)))
	}
	return ring, nil
}

// find returns the number of a key, from 1; 0 when it is none. The time it takes does not depend on which it is, or how
// much of it is right.
func (r keyring) find(key []byte) (n int, id [sha256.Size]byte) {
	id = sha256.Sum256(key)
	for i := range r {
		n |= (i + 1) * subtle.ConstantTimeCompare(r[i][:], id[:]) // keys that are there twice still have one digest
		if n > i+1 {
			n = i + 1
		}
	}
	return n, id
}

// present returns the key of a request; nil when there is none.
func present(h *fasthttp.RequestHeader) []byte {
	scheme, key, _ := bytes.Cut(h.Peek(fasthttp.HeaderAuthorization), []byte(" "))
	if strings.EqualFold(string(scheme), "bearer") {
		return bytes.TrimSpace(key)
	}
	return h.Peek("X-API-Key") // other credentials are a proxy's
}

// authorize tells who makes a request for a route, or why it may not be made.
func (s *Server) authorize(h *fasthttp.RequestHeader, t target, open bool) (Caller, *problem.Problem) {
	ring := *s.keys.Load()
	if len(ring) == 0 {
		return Caller{}, s.fromHere(h, t)
	}
	if open {
		return Caller{}, nil
	}
	if key := present(h); len(key) > 0 {
		if n, id := ring.find(key); n > 0 {
			return Caller{Key: n, ID: id}, nil
		}
		return Caller{}, problem.New(problem.Unauthorized, "the key is not one of those configured")
	}
	return Caller{}, problem.New(problem.Unauthorized, "give a key, as Authorization: Bearer KEY or X-API-Key: KEY")
}

// fromHere refuses requests of pages, when there are no keys: of a name that was rebound to this machine, or of another
// origin.
func (s *Server) fromHere(h *fasthttp.RequestHeader, t target) *problem.Problem {
	if s.place.network != "unix" && !loopbackHost(t.host) {
		return problem.New(problem.Forbidden, "without a key, the Host has to be of this machine: localhost or a loopback address")
	}
	if origin := h.Peek(fasthttp.HeaderOrigin); len(origin) > 0 && !sameHost(string(origin), t.host) {
		return problem.New(problem.Forbidden, "without a key, pages of other origins may not ask")
	}
	return nil
}

// loopbackHost reports whether a Host is of this machine.
func loopbackHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	} else {
		host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// sameHost reports whether an Origin is that of the pages which this host serves.
func sameHost(origin, host string) bool {
	scheme, rest, ok := strings.Cut(origin, "://")
	return ok && (scheme == "http" || scheme == "https") && host != "" && strings.EqualFold(rest, host)
}
