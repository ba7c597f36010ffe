package token_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed58c87869/siren/cmd/siren/node/token"
)

// keyServer serves a key set that tests change, and counts requests.
type keyServer struct {
	*httptest.Server
	answer   atomic.Pointer[http.HandlerFunc]
	requests atomic.Int64
}

func newKeyServer(t *testing.T) *keyServer {
	s := new(keyServer)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.requests.Add(1)
		(*s.answer.Load())(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *keyServer) handle(h http.HandlerFunc) { s.answer.Store(&h) }

func (s *keyServer) serve(text []byte) {
	s.handle(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(text) })
}

// eventually waits until what is asked for is so.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("not in time: " + what)
		}
	}
}

func TestKeySetIsFetchedAndRefreshed(t *testing.T) {
	s := newKeyServer(t)
	s.serve(jwks(t, jwk(edKey.Public(), claims{"kid": "1", "alg": "EdDSA", "use": "sig", "key_ops": []string{"verify"}})))
	v := verifier(t, token.Config{JWKSURL: s.URL, Refresh: 5 * time.Millisecond, MinRefresh: time.Millisecond})
	first := sign(t, "EdDSA", edKey, good(nil), claims{"kid": "1"})
	second := sign(t, "EdDSA", edKey2, good(nil), claims{"kid": "2"})
	accepted := func(text string) func() bool {
		return func() bool { _, err := v.Verify(t.Context(), text); return err == nil }
	}
	eventually(t, "the first key", accepted(first))
	if accepted(second)() {
		t.Fatal("a key that nobody published")
	}
	s.serve(jwks(t, jwk(edKey2.Public(), claims{"kid": "2"})))
	eventually(t, "the second key", accepted(second))
	eventually(t, "the end of the first key", func() bool { return !accepted(first)() })

	for name, bad := range map[string]http.HandlerFunc{
		"500":     func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) },
		"204":     func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) },
		"garbage": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) },
		"no set":  func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"keys":null}`)) },
		"10 MB": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"keys":[` + strings.Repeat(" ", 10<<20) + `]}`))
		},
		"many keys": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"keys":[` + strings.Repeat("{},", 200) + `{}]}`))
		},
		"cut off": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte(`{`))
		},
		"clear text": func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/" { // no loopback address, though it leads there
				http.Redirect(w, r, strings.Replace(s.URL, "127.0.0.1", "0.0.0.0", 1)+"/none", http.StatusFound)
				return
			}
			_, _ = w.Write([]byte(`{"keys":[]}`))
		},
		"a loop": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/", 302) },
		"closed": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"a long head": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X", strings.Repeat("x", 100<<10))
			w.WriteHeader(200)
		},
	} {
		s.handle(bad)
		for n := s.requests.Load(); s.requests.Load() < n+3; time.Sleep(time.Millisecond) {
		}
		if !accepted(second)() {
			t.Errorf("%s: the old key is lost", name)
		}
	}
}

// A token with an unknown kid has the keys fetched, and is accepted when its key is there then.
func TestUnknownKidFetches(t *testing.T) {
	s := newKeyServer(t)
	s.serve(jwks(t, jwk(p256.Public(), claims{"kid": "old"})))
	v := verifier(t, token.Config{JWKSURL: s.URL, Refresh: time.Hour, MinRefresh: time.Nanosecond})
	if _, err := v.Verify(t.Context(), sign(t, "ES256", p256, good(nil), claims{"kid": "old"})); err != nil {
		t.Fatal(err)
	}
	s.serve(jwks(t, jwk(p256.Public(), claims{"kid": "old"}), jwk(p384.Public(), claims{"kid": "new"})))
	if _, err := v.Verify(t.Context(), sign(t, "ES384", p384, good(nil), claims{"kid": "new"})); err != nil {
		t.Error(err)
	}
}

// Floods of unknown kids make one fetch in MinRefresh, and nobody waits behind it.
func TestKidFlood(t *testing.T) {
	s := newKeyServer(t)
	s.serve(jwks(t, jwk(p256.Public(), claims{"kid": "1"})))
	v := verifier(t, token.Config{JWKSURL: s.URL, Refresh: time.Hour, MinRefresh: time.Hour})
	eventually(t, "the first fetch", func() bool {
		_, err := v.Verify(t.Context(), sign(t, "ES256", p256, good(nil), claims{"kid": "1"}))
		return err == nil
	})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 50 {
				text := sign(t, "ES256", p256, good(nil), claims{"kid": fmt.Sprint(i, "/", j)})
				if _, err := v.Verify(t.Context(), text); !errors.Is(err, token.ErrInvalid) {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n := s.requests.Load(); n != 1 {
		t.Errorf("%d requests", n)
	}
}

// A server that hangs holds up those with unknown kids until their context or the fetch ends, and Close not at all.
func TestKeyServerHangs(t *testing.T) {
	s := newKeyServer(t)
	release := make(chan struct{})
	s.handle(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	defer close(release)
	text := sign(t, "ES256", p256, good(nil), claims{"kid": "1"})
	v := verifier(t, token.Config{JWKSURL: s.URL, FetchTimeout: time.Hour})
	eventually(t, "a request", func() bool { return s.requests.Load() == 1 })
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { _, err := v.Verify(ctx, text); done <- err }()
	go func() { _, err := v.Verify(t.Context(), text); done <- err }()
	cancel()
	if err := <-done; !errors.Is(err, token.ErrInvalid) {
		t.Error(err)
	}
	v.Close()
	if err := <-done; !errors.Is(err, token.ErrInvalid) {
		t.Error(err)
	}
	if _, err := v.Verify(t.Context(), text); !errors.Is(err, token.ErrInvalid) {
		t.Error(err)
	}

	short := verifier(t, token.Config{JWKSURL: s.URL, FetchTimeout: time.Millisecond})
	if _, err := short.Verify(t.Context(), text); !errors.Is(err, token.ErrInvalid) {
		t.Error(err)
	}
}

// A Verifier that takes another one's place has its keys from the beginning.
func TestAdopt(t *testing.T) {
	s := newKeyServer(t)
	s.serve(jwks(t, jwk(p256.Public(), claims{"kid": "1"})))
	text := sign(t, "ES256", p256, good(nil), claims{"kid": "1"})
	old := verifier(t, token.Config{JWKSURL: s.URL})
	eventually(t, "the keys", func() bool { _, err := old.Verify(t.Context(), text); return err == nil })
	s.handle(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) })
	v := verifier(t, token.Config{JWKSURL: s.URL})
	v.Adopt(old)
	if _, err := v.Verify(t.Context(), text); err != nil {
		t.Error(err)
	}
	v.Adopt(nil)
	other := verifier(t, token.Config{JWKSURL: s.URL + "/other"})
	other.Adopt(old)
	if _, err := other.Verify(t.Context(), text); err == nil {
		t.Error("took over the keys of another URL")
	}
}

// Keys that cannot verify a token's signature are left out of a set, whatever it says of them.
func TestKeysOfASet(t *testing.T) {
	usable := jwk(edKey.Public(), claims{"kid": "good"})
	off := jwk(p256.Public(), claims{"kid": "k"})
	off["x"] = off["y"]
	for _, c := range []struct {
		name string
		key  claims
		text string // a token for it; its kid is k
	}{
		{"a shared secret", claims{"kty": "oct", "kid": "k", "k": b64([]byte(secret))}, sign(t, "HS256", []byte(secret), good(nil), claims{"kid": "k"})},
		{"for encryption", jwk(p256.Public(), claims{"kid": "k", "use": "enc"}), sign(t, "ES256", p256, good(nil), claims{"kid": "k"})},
		{"for other operations", jwk(p256.Public(), claims{"kid": "k", "key_ops": []string{"sign"}}), sign(t, "ES256", p256, good(nil), claims{"kid": "k"})},
		{"of another algorithm", jwk(rsaKey.Public(), claims{"kid": "k", "alg": "RS512"}), sign(t, "RS256", rsaKey, good(nil), claims{"kid": "k"})},
		{"of an algorithm it cannot have", jwk(rsaKey.Public(), claims{"kid": "k", "alg": "HS256"}), sign(t, "RS256", rsaKey, good(nil), claims{"kid": "k"})},
		{"off the curve", off, sign(t, "ES256", p256, good(nil), claims{"kid": "k"})},
		{"members of wrong kinds", claims{"kty": 5, "kid": []int{}}, sign(t, "ES256", p256, good(nil), claims{"kid": "k"})},
		{"a small RSA key", claims{"kty": "RSA", "kid": "k", "n": b64(make([]byte, 100)), "e": "AQAB"}, sign(t, "RS256", rsaKey, good(nil), claims{"kid": "k"})},
		{"a huge RSA key", claims{"kty": "RSA", "kid": "k", "n": strings.Repeat("_", 10_000), "e": "AQAB"}, sign(t, "RS256", rsaKey, good(nil), claims{"kid": "k"})},
		{"an even exponent", jwk(rsaKey.Public(), claims{"kid": "k", "e": "Ag"}), sign(t, "RS256", rsaKey, good(nil), claims{"kid": "k"})},
		{"another curve of OKP", claims{"kty": "OKP", "crv": "X25519", "kid": "k", "x": b64(make([]byte, 32))}, sign(t, "EdDSA", edKey2, good(nil), claims{"kid": "k"})},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := verifier(t, token.Config{JWKSFile: file(t, jwks(t, c.key, usable))})
			if _, err := v.Verify(t.Context(), c.text); !errors.Is(err, token.ErrInvalid) {
				t.Error(err)
			}
			if _, err := v.Verify(t.Context(), sign(t, "EdDSA", edKey, good(nil), claims{"kid": "good"})); err != nil {
				t.Errorf("the good key is lost: %v", err)
			}
		})
	}
}

// A token without a kid is verified by the only key that fits. With several ones it would be a guess.
func TestTokenWithoutKid(t *testing.T) {
	text := sign(t, "ES256", p256, good(nil), nil)
	one := verifier(t, token.Config{JWKSFile: file(t, jwks(t, jwk(p256.Public(), claims{"kid": "1"}), jwk(rsaKey.Public(), nil)))})
	if _, err := one.Verify(t.Context(), text); err != nil {
		t.Error(err)
	}
	two := verifier(t, token.Config{JWKSFile: file(t, jwks(t, jwk(p256.Public(), claims{"kid": "1"}), jwk(p256.Public(), claims{"kid": "2"})))})
	if _, err := two.Verify(t.Context(), text); !errors.Is(err, token.ErrInvalid) {
		t.Error(err)
	}
}

func FuzzKeySet(f *testing.F) {
	f.Add([]byte(`{"keys":[]}`))
	f.Add(jwks(f, jwk(rsaKey.Public(), claims{"kid": "r"}), jwk(p521.Public(), claims{"kid": "e"}), jwk(edKey.Public(), claims{"kid": "o"})))
	f.Add([]byte(`{"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if v, err := token.New(token.Config{JWKSFile: file(t, text)}); err == nil {
			_, _ = v.Verify(t.Context(), sign(t, "ES256", p256, good(nil), claims{"kid": "e"}))
		}
	})
}
