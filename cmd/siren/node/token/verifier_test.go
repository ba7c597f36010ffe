package token_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/seed58c87869/siren/cmd/siren/node/token"
)

// Each algorithm is accepted with a key that can have it, from each place that keys come from.
func TestAlgorithms(t *testing.T) {
	pemFile := file(t, publicPEM(t, rsaKey.Public(), p256.Public(), p384.Public(), p521.Public(), edKey.Public()))
	setFile := file(t, jwks(t, jwk(rsaKey.Public(), claims{"kid": "rsa"}), jwk(p256.Public(), claims{"kid": "p256"}),
		jwk(p384.Public(), claims{"kid": "p384"}), jwk(p521.Public(), claims{"kid": "p521"}), jwk(edKey.Public(), claims{"kid": "ed"})))
	hmac := token.Config{HMACSecrets: []string{"the new one", secret}}
	for _, c := range []struct {
		algorithm, kid string
		key            any
	}{
		{"HS256", "", []byte(secret)}, {"HS384", "", []byte(secret)}, {"HS512", "", []byte("the new one")},
		{"RS256", "rsa", rsaKey}, {"RS384", "rsa", rsaKey}, {"RS512", "rsa", rsaKey},
		{"PS256", "rsa", rsaKey}, {"PS384", "rsa", rsaKey}, {"PS512", "rsa", rsaKey},
		{"ES256", "p256", p256}, {"ES384", "p384", p384}, {"ES512", "p521", p521}, {"EdDSA", "ed", edKey},
	} {
		t.Run(c.algorithm, func(t *testing.T) {
			configs := []token.Config{{PublicKeyFile: pemFile}, {JWKSFile: setFile}, {JWKSFile: setFile, Algorithms: []string{c.algorithm}}}
			if c.kid == "" {
				configs = []token.Config{hmac}
			}
			for _, cfg := range configs {
				v := verifier(t, cfg)
				got, err := v.Verify(t.Context(), sign(t, c.algorithm, c.key, good(nil), claims{"kid": c.kid}))
				if err != nil || got.Subject() != "ann" {
					t.Errorf("%+v: %v", cfg, err)
				}
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	text := publicPEM(t, rsaKey.Public())
	both := token.Config{HMACSecrets: []string{secret}, PublicKeyFile: file(t, text)}
	onlyRSA := token.Config{PublicKeyFile: both.PublicKeyFile}
	onlyEC := token.Config{PublicKeyFile: file(t, publicPEM(t, p256.Public()))}
	hmac := token.Config{HMACSecrets: []string{secret}}
	key := []byte(secret)
	valid := sign(t, "HS256", key, good(nil), nil)
	head, rest, _ := strings.Cut(valid, ".")
	body, _, _ := strings.Cut(rest, ".")
	for _, c := range []struct {
		name string
		cfg  token.Config
		text string
		want error
	}{
		{"nothing", hmac, "", token.ErrInvalid},
		{"garbage", hmac, "garbage", token.ErrInvalid},
		{"dots", hmac, strings.Repeat(".", 10_000), token.ErrInvalid},
		{"a signature cut off", hmac, head + "." + body + ".", token.ErrInvalid},
		{"another secret", hmac, sign(t, "HS256", []byte("another"), good(nil), nil), token.ErrInvalid},
		{"an expired one of another secret", hmac, sign(t, "HS256", []byte("x"), good(claims{"exp": 1}), nil), token.ErrInvalid},
		{"too long", hmac, sign(t, "HS256", key, good(claims{"x": strings.Repeat("x", 16<<10)}), nil), token.ErrInvalid},
		{"none", hmac, sign(t, "none", jwt.UnsafeAllowNoneSignatureType, good(nil), nil), token.ErrInvalid},
		{"none for a public key", onlyRSA, sign(t, "none", jwt.UnsafeAllowNoneSignatureType, good(nil), nil), token.ErrInvalid},
		{"a public key's text as a secret", onlyRSA, sign(t, "HS256", text, good(nil), nil), token.ErrInvalid},
		{"a public key's text as a secret, with secrets", both, sign(t, "HS256", text, good(nil), nil), token.ErrInvalid},
		{"an RSA key's algorithm with an EC key", onlyEC, sign(t, "RS256", rsaKey, good(nil), nil), token.ErrInvalid},
		{"another curve", onlyEC, sign(t, "ES384", p384, good(nil), nil), token.ErrInvalid},
		{"another curve's algorithm name", onlyEC, sign(t, "ES256", p256, good(nil), claims{"alg": "ES384"}), token.ErrInvalid},
		{"a key that signs, left out of algorithms", token.Config{HMACSecrets: []string{secret}, Algorithms: []string{"HS512"}}, valid, token.ErrInvalid},
		{"an unknown algorithm", hmac, sign(t, "HS256", key, good(nil), claims{"alg": "HS1024"}), token.ErrInvalid},
		{"crit", hmac, sign(t, "HS256", key, good(nil), claims{"crit": []string{"b64"}}), token.ErrInvalid},
		{"kid of a wrong kind", onlyRSA, sign(t, "RS256", rsaKey, good(nil), claims{"kid": 5}), token.ErrInvalid},
		{"no exp", hmac, sign(t, "HS256", key, good(claims{"exp": nil}), nil), token.ErrInvalid},
		{"exp of a wrong kind", hmac, sign(t, "HS256", key, good(claims{"exp": "2040"}), nil), token.ErrInvalid},
		{"exp is null", hmac, signText(t, "HS256", key, `{"exp":null}`, nil), token.ErrInvalid},
		{"exp in milliseconds", hmac, sign(t, "HS256", key, good(claims{"exp": now.UnixMilli()}), nil), token.ErrInvalid},
		{"expired", hmac, sign(t, "HS256", key, good(claims{"exp": now.Unix() - 31}), nil), token.ErrExpired},
		{"expired, by the leeway", hmac, sign(t, "HS256", key, good(claims{"exp": now.Unix() - 30}), nil), token.ErrExpired},
		{"expired in 1970", hmac, sign(t, "HS256", key, good(claims{"exp": 0}), nil), token.ErrExpired},
		{"expired before 1970", hmac, sign(t, "HS256", key, good(claims{"exp": -5}), nil), token.ErrExpired},
		{"not valid yet", hmac, sign(t, "HS256", key, good(claims{"nbf": now.Unix() + 31}), nil), token.ErrInvalid},
		{"not valid yet, and expired", hmac, sign(t, "HS256", key, good(claims{"nbf": now.Unix() + 31, "exp": 5}), nil), token.ErrInvalid},
		{"nbf of a wrong kind", hmac, sign(t, "HS256", key, good(claims{"nbf": true}), nil), token.ErrInvalid},
		{"sub of a wrong kind", hmac, sign(t, "HS256", key, good(claims{"sub": 5}), nil), token.ErrInvalid},
		{"claims that are no object", hmac, signText(t, "HS256", key, `[]`, nil), token.ErrInvalid},
		{"claims that are null", token.Config{HMACSecrets: []string{secret}, AllowNoExp: true}, signText(t, "HS256", key, `null`, nil), token.ErrInvalid},
		{"a claim twice", hmac, signText(t, "HS256", key, `{"exp":5000000000,"sub":"a","sub":"b"}`, nil), token.ErrInvalid},
		{"invalid UTF-8", hmac, signText(t, "HS256", key, "{\"exp\":5000000000,\"sub\":\"\xff\"}", nil), token.ErrInvalid},
		{"levels without end", hmac, signText(t, "HS256", key, `{"exp":5000000000,"x":`+strings.Repeat("[", 11_000)+strings.Repeat("]", 1_000)+`}`, nil), token.ErrInvalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := verifier(t, c.cfg).Verify(t.Context(), c.text)
			if !errors.Is(err, c.want) || got != nil {
				t.Errorf("claims %v, error %v, want %v", got, err, c.want)
			}
			if c.want == token.ErrInvalid && errors.Is(err, token.ErrExpired) {
				t.Errorf("also expired: %v", err)
			}
		})
	}
}

// What is nearly refused, and is not.
func TestLeniency(t *testing.T) {
	key := []byte(secret)
	for _, c := range []struct {
		name string
		cfg  token.Config
		c    claims
	}{
		{"exp within the leeway", token.Config{}, good(claims{"exp": now.Unix() - 29})},
		{"nbf within the leeway", token.Config{}, good(claims{"nbf": now.Unix() + 30})},
		{"no exp, allowed", token.Config{AllowNoExp: true}, good(claims{"exp": nil})},
		{"exp with a fraction", token.Config{}, good(claims{"exp": float64(now.Unix()) + 0.5})},
		{"no sub", token.Config{}, good(claims{"sub": nil})},
		{"iss and aud nobody asked for", token.Config{}, good(claims{"iss": "x", "aud": []string{"y"}})},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.cfg.HMACSecrets = []string{secret}
			if _, err := verifier(t, c.cfg).Verify(t.Context(), sign(t, "HS256", key, c.c, nil)); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestIssuerAndAudience(t *testing.T) {
	v := verifier(t, token.Config{HMACSecrets: []string{secret}, Issuer: "idp", Audience: "chat"})
	for _, c := range []struct {
		iss, aud any
		ok       bool
	}{
		{"idp", "chat", true}, {"idp", []string{"mail", "chat"}, true},
		{"other", "chat", false}, {"idp", "mail", false}, {"idp", []string{}, false},
		{nil, "chat", false}, {"idp", nil, false}, {5, "chat", false}, {"idp", 5, false}, {"idp", []int{5}, false},
	} {
		text := sign(t, "HS256", []byte(secret), good(claims{"iss": c.iss, "aud": c.aud}), nil)
		if _, err := v.Verify(t.Context(), text); (err == nil) != c.ok || err != nil && !errors.Is(err, token.ErrInvalid) {
			t.Errorf("iss %v, aud %v: %v", c.iss, c.aud, err)
		}
		expired := sign(t, "HS256", []byte(secret), good(claims{"iss": c.iss, "aud": c.aud, "exp": 5}), nil)
		if _, err := v.Verify(t.Context(), expired); errors.Is(err, token.ErrExpired) != c.ok {
			t.Errorf("expired, iss %v, aud %v: %v", c.iss, c.aud, err)
		}
	}
}

func TestConfigErrors(t *testing.T) {
	weak := file(t, []byte("-----BEGIN RSA PUBLIC KEY-----\nMEgCQQDZ\n-----END RSA PUBLIC KEY-----\n"))
	for _, c := range []struct {
		name, want string
		cfg        token.Config
	}{
		{"empty secret", "empty", token.Config{HMACSecrets: []string{""}}},
		{"unknown algorithm", `"HS1"`, token.Config{HMACSecrets: []string{"x"}, Algorithms: []string{"HS1"}}},
		{"none", `"none"`, token.Config{HMACSecrets: []string{"x"}, Algorithms: []string{"none"}}},
		{"algorithm without its key", "RS256", token.Config{HMACSecrets: []string{"x"}, Algorithms: []string{"RS256"}}},
		{"secret's algorithm for a URL", "HS256", token.Config{JWKSURL: "https://idp.example/k", Algorithms: []string{"HS256"}}},
		{"clear text", "neither https", token.Config{JWKSURL: "http://idp.example/keys"}},
		{"another scheme", "neither https", token.Config{JWKSURL: "ftp://localhost/keys"}},
		{"no host", "no host", token.Config{JWKSURL: "/keys"}},
		{"missing file", "no such file", token.Config{PublicKeyFile: "/nonexistent"}},
		{"missing key set", "no such file", token.Config{JWKSFile: "/nonexistent"}},
		{"no PEM", "no PEM block", token.Config{PublicKeyFile: file(t, []byte("x"))}},
		{"broken PEM", "public key", token.Config{PublicKeyFile: weak}},
		{"private key", "not a public key", token.Config{PublicKeyFile: file(t, []byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"))}},
		{"no key set", "no object", token.Config{JWKSFile: file(t, []byte("{}"))}},
		{"a large key set", "more than 10 bytes", token.Config{MaxJWKSBytes: 10, JWKSFile: file(t, []byte(`{"keys":[]}`))}},
		{"empty key set", "no usable key", token.Config{JWKSFile: file(t, []byte(`{"keys":[{"kty":"oct","k":"AAAA"}]}`))}},
		{"negative", "negative", token.Config{HMACSecrets: []string{"x"}, Leeway: -1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if v, err := token.New(c.cfg); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
				if v != nil {
					v.Close()
				}
			}
		})
	}
}

// The texts and codes that clients read say nothing of the cause.
func TestMessages(t *testing.T) {
	_, err := verifier(t, token.Config{HMACSecrets: []string{secret}}).Verify(t.Context(), "x")
	for _, c := range []struct {
		err           error
		message, code string
	}{
		{err, "token invalid", "token_invalid"}, {token.ErrRequired, "token required", "token_required"},
		{token.ErrExpired, "token expired", "token_expired"}, {token.ErrNotAllowed, "not allowed", "not_allowed"},
		{errors.New("other"), "token invalid", "token_invalid"},
	} {
		if m, code := token.Message(c.err), token.Code(c.err); m != c.message || code != c.code {
			t.Errorf("%v: %q, %q", c.err, m, code)
		}
	}
}

func TestSign(t *testing.T) {
	cfg := token.Config{HMACSecrets: []string{secret, "old"}, Issuer: "i", Audience: "a", Now: clock}
	text, err := cfg.Sign(token.Grant{
		Subject: "ann", Expires: time.Hour, Join: []string{"room-*"}, Publish: []string{}, Rooms: []string{"lobby"}, Data: []byte(`{"a":1}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := verifier(t, cfg).Verify(t.Context(), text)
	if err != nil {
		t.Fatal(err)
	}
	if got.Subject() != "ann" || !got.Expires().Equal(now.Add(time.Hour)) || !got.Issued().Equal(now) || string(got.Data()) != `{"a":1}` {
		t.Errorf("%s", got.Text())
	}
	if !got.AllowsJoin("room-1") || got.AllowsJoin("x") || got.AllowsPublish("x") || got.Rooms()[0] != "lobby" || !got.AllowsNamespace("/x") {
		t.Errorf("%s", got.Text())
	}
	for _, bad := range []struct {
		cfg token.Config
		g   token.Grant
	}{
		{token.Config{}, token.Grant{}},
		{token.Config{HMACSecrets: []string{"x"}, Algorithms: []string{"RS256"}}, token.Grant{}},
		{cfg, token.Grant{Join: []string{""}}},
		{cfg, token.Grant{Data: []byte("{")}},
	} {
		if _, err := bad.cfg.Sign(bad.g); err == nil {
			t.Errorf("%+v: no error", bad)
		}
	}
}
