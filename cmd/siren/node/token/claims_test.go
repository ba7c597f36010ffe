package token_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/seed58c87869/siren/cmd/siren/node/token"
)

func verify(t testing.TB, payload string) (*token.Claims, error) {
	v := verifier(t, token.Config{HMACSecrets: []string{secret}, AllowNoExp: true})
	return v.Verify(t.Context(), signText(t, "HS256", []byte(secret), payload, nil))
}

func TestClaims(t *testing.T) {
	for _, c := range []struct {
		name, payload                               string
		namespace, join, publish, publishToAll, nop bool
	}{
		{name: "no claims", payload: `{}`, namespace: true, join: true, publish: true, publishToAll: true},
		{name: "empty", payload: `{"siren":{}}`, namespace: true, join: true, publish: true, publishToAll: true},
		{name: "unknown ones", payload: `{"siren":{"x":null,"Join":[]}}`, namespace: true, join: true, publish: true, publishToAll: true},
		{name: "nothing allowed", payload: `{"siren":{"namespaces":[],"join":[],"publish":[]}}`},
		{name: "patterns", payload: `{"siren":{"namespaces":["/ro*"],"join":["a","room-*"],"publish":["room-?*","room*"]}}`, namespace: true, join: true, publish: true},
		{name: "others", payload: `{"siren":{"namespaces":["/x"],"join":["x"],"publish":["x"]}}`},
		{name: "everything", payload: `{"siren":{"publish":["*"]}}`, namespace: true, join: true, publish: true, publishToAll: true},
		{name: "escapes", payload: `{"s\u0069ren":{"jo\u0069n":["r\u006fom-1"],"publish":[],"namespaces":["\/room"]}}`, namespace: true, join: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := verify(t, c.payload)
			if err != nil {
				t.Fatal(err)
			}
			if got.AllowsNamespace("/room") != c.namespace || got.AllowsJoin("room-1") != c.join || got.AllowsPublish("room-1") != c.publish ||
				got.AllowsPublishToAll() != c.publishToAll {
				t.Errorf("namespace %v, join %v, publish %v, to all %v", got.AllowsNamespace("/room"), got.AllowsJoin("room-1"),
					got.AllowsPublish("room-1"), got.AllowsPublishToAll())
			}
			if got.Text() != c.payload {
				t.Errorf("text %s", got.Text())
			}
		})
	}
}

func TestClaimsOfWrongKinds(t *testing.T) {
	for _, payload := range []string{
		`{"siren":null}`, `{"siren":[]}`, `{"siren":"x"}`, `{"siren":{"namespaces":null}}`, `{"siren":{"namespaces":"/"}}`,
		`{"siren":{"join":{}}}`, `{"siren":{"join":[5]}}`, `{"siren":{"join":[null]}}`, `{"siren":{"join":[["x"]]}}`,
		`{"siren":{"publish":true}}`, `{"siren":{"rooms":"x"}}`, `{"siren":{"rooms":[""]}}`, `{"siren":{"rooms":["a\u0000"]}}`,
		`{"siren":{"join":["` + strings.Repeat("x", 129) + `"]}}`, `{"siren":{"join":[],"join":["*"]}}`, `{"siren":{},"siren":{}}`,
		`{"sub":null}`, `{"iat":"x"}`, `{"exp":true}`,
	} {
		if got, err := verify(t, payload); !errors.Is(err, token.ErrInvalid) || got != nil {
			t.Errorf("%s: %v", payload, err)
		}
	}
}

func TestDataAndSubject(t *testing.T) {
	got, err := verify(t, `{"sub":"a\u006en\"","siren":{"data": {"a": [1.50, "\u0061"]}},"iat":1000.5}`)
	if err != nil {
		t.Fatal(err)
	}
	if got.Subject() != `ann"` || string(got.Data()) != `{"a": [1.50, "\u0061"]}` || !got.Issued().Equal(time.UnixMilli(1000_500)) {
		t.Errorf("%q, %s, %v", got.Subject(), got.Data(), got.Issued())
	}
	if got, err = verify(t, `{}`); err != nil || got.Data() != nil || got.Rooms() != nil || !got.Issued().IsZero() || !got.Expires().IsZero() {
		t.Errorf("%v, %v", got, err)
	}
	if got, err = verify(t, `{"siren":{"data":null,"rooms":["a"]}}`); err != nil || string(got.Data()) != "null" || len(got.Rooms()) != 1 {
		t.Errorf("%v, %v", got, err)
	}
}

// Each connection with a token keeps its claims: beside their text they fill one small class of the allocator.
func TestSizeOfClaims(t *testing.T) {
	if n := unsafe.Sizeof(token.Claims{}); n > 24 {
		t.Errorf("%d bytes, at most 24 are allowed", n)
	}
}

func TestRevocations(t *testing.T) {
	of := func(payload string) *token.Claims {
		c, err := verify(t, payload)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	r := &token.Revocations{Max: 2}
	at := time.Unix(1000, 0)
	if forgotten := r.Revoke("ann", at); forgotten != "" || r.Len() != 1 {
		t.Fatal(forgotten, r.Len())
	}
	for _, c := range []struct {
		payload string
		want    bool
	}{
		{`{"sub":"ann","iat":999}`, true}, {`{"sub":"ann","iat":999.999}`, true}, {`{"sub":"ann","iat":1000}`, false},
		{`{"sub":"ann","iat":1001}`, false}, {`{"sub":"ann"}`, true}, {`{"sub":"ben","iat":5}`, false}, {`{}`, false},
	} {
		if got := r.Revoked(of(c.payload)); got != c.want {
			t.Errorf("%s: %v", c.payload, got)
		}
	}
	r.Revoke("ann", time.Unix(900, 0)) // earlier: changes nothing
	if !r.Revoked(of(`{"sub":"ann","iat":999}`)) {
		t.Error("a revocation became an earlier one")
	}
	r.Revoke("ben", at)
	r.Revoke("ann", time.Unix(2000, 0)) // ben is the oldest now
	if forgotten := r.Revoke("eve", at); forgotten != "ben" || r.Len() != 2 {
		t.Errorf("forgot %q, %d are left", forgotten, r.Len())
	}
	if !r.Revoked(of(`{"sub":"ann","iat":1999}`)) || !r.Revoked(of(`{"sub":"eve","iat":999}`)) || r.Revoked(of(`{"sub":"ben","iat":5}`)) {
		t.Error("the wrong one was forgotten")
	}
	var zero token.Revocations
	if zero.Revoked(of(`{"sub":"ann"}`)) || zero.Revoke("", at) != "" || !zero.Revoked(of(`{"iat":5}`)) {
		t.Error("the zero value, or tokens without sub")
	}
}

// Claims that are accepted are JSON for encoding/json as well, and mean the same.
func FuzzClaims(f *testing.F) {
	for _, s := range []string{
		`{"sub":"ann","exp":5000000000,"siren":{"join":["a*"],"rooms":["x"],"data":{"a":[1]}}}`, `{"siren":{"namespaces":[]}}`, `{}`, `null`,
		`{"sub":"\ud83d\ude00","iat":1e3}`, "{\"a\":\"\xff\"}", `{"exp":1e400}`, ` {"sub" : "x" } `,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var c token.Claims
		if err := c.UnmarshalJSON(text); err != nil {
			return
		}
		var want struct {
			Sub   *string `json:"sub"`
			Siren struct {
				Rooms []string        `json:"rooms"`
				Data  json.RawMessage `json:"data"`
			} `json:"siren"`
		}
		if !json.Valid(text) {
			return // UnmarshalJSON gets valid JSON from its callers; without that it only must not panic
		}
		c.AllowsJoin("x")
		c.Expires()
		if strings.Contains(strings.ToLower(string(text)), `\u`) || json.Unmarshal(text, &want) != nil || hasFolded(text) {
			return
		}
		if want.Sub != nil && *want.Sub != c.Subject() || len(want.Siren.Rooms) != len(c.Rooms()) {
			t.Errorf("%s: %q, %q", text, c.Subject(), c.Rooms())
		}
	})
}

// hasFolded reports names that encoding/json takes for ours in spite of their case.
func hasFolded(text []byte) bool {
	s := string(text)
	for _, name := range []string{"sub", "siren", "rooms", "data"} {
		if strings.Count(strings.ToLower(s), name) != strings.Count(s, name) {
			return true
		}
	}
	return strings.ContainsRune(s, '\u017f') || strings.ContainsRune(s, '\u212a') // long s, kelvin
}

// Whatever comes as a token, Verify returns, and only a token with the right signature passes.
func FuzzVerify(f *testing.F) {
	pemFile := file(f, publicPEM(f, rsaKey.Public()))
	v := verifier(f, token.Config{HMACSecrets: []string{secret}, PublicKeyFile: pemFile})
	f.Add("")
	f.Add("..")
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	text := sign(f, "HS256", []byte(secret), good(nil), nil)
	f.Add(text[:len(text)-1])
	f.Fuzz(func(t *testing.T, text string) {
		if c, err := v.Verify(t.Context(), text); err == nil {
			t.Errorf("accepted %s", c.Text())
		} else if !errors.Is(err, token.ErrInvalid) && !errors.Is(err, token.ErrExpired) {
			t.Error(err)
		}
	})
}
