package token_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"go.uber.org/goleak"

	"github.com/seed58c87869/siren/cmd/siren/node/token"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// now is what the clock of the tests says.
var now = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)

func clock() time.Time { return now }

const secret = "a secret for tests, of thirty-two"

var (
	rsaKey, _    = rsa.GenerateKey(rand.Reader, 2048)
	p256, _      = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	p384, _      = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	p521, _      = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	_, edKey, _  = ed25519.GenerateKey(rand.Reader)
	_, edKey2, _ = ed25519.GenerateKey(rand.Reader)
)

type claims = map[string]any

// good are claims that are accepted, with changes: nil takes a claim out.
func good(changes claims) claims {
	c := claims{"sub": "ann", "exp": now.Add(time.Hour).Unix()}
	for name, v := range changes {
		if v == nil {
			delete(c, name)
			continue
		}
		c[name] = v
	}
	return c
}

// sign makes a token; header is added to its header.
func sign(t testing.TB, algorithm string, key any, c any, header claims) string {
	t.Helper()
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return signText(t, algorithm, key, string(text), header)
}

func signText(t testing.TB, algorithm string, key any, payload string, header claims) string {
	t.Helper()
	h := claims{"alg": algorithm, "typ": "JWT"}
	for name, v := range header {
		h[name] = v
	}
	head, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	text := base64.RawURLEncoding.EncodeToString(head) + "." + base64.RawURLEncoding.EncodeToString([]byte(payload))
	signature, err := jwt.GetSigningMethod(algorithm).Sign(text, key)
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// publicPEM is the PEM text of public keys.
func publicPEM(t testing.TB, keys ...crypto.PublicKey) []byte {
	t.Helper()
	var text []byte
	for _, k := range keys {
		der, err := x509.MarshalPKIXPublicKey(k)
		if err != nil {
			t.Fatal(err)
		}
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})...)
	}
	return text
}

func file(t testing.TB, text []byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// verifier makes a Verifier on the clock of the tests.
func verifier(t testing.TB, cfg token.Config) *token.Verifier {
	t.Helper()
	cfg.Now, cfg.Log = clock, slog.New(slog.DiscardHandler)
	v, err := token.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	return v
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// jwk is a public key as a JSON Web Key, with further members.
func jwk(public crypto.PublicKey, more claims) claims {
	var j claims
	switch k := public.(type) {
	case *rsa.PublicKey:
		j = claims{"kty": "RSA", "n": b64(k.N.Bytes()), "e": "AQAB"}
	case *ecdsa.PublicKey:
		point, err := k.Bytes()
		if err != nil {
			panic(err)
		}
		half := len(point) / 2
		j = claims{"kty": "EC", "crv": k.Curve.Params().Name, "x": b64(point[1 : 1+half]), "y": b64(point[1+half:])}
	case ed25519.PublicKey:
		j = claims{"kty": "OKP", "crv": "Ed25519", "x": b64(k)}
	}
	for name, v := range more {
		j[name] = v
	}
	return j
}

// jwks is a key set.
func jwks(t testing.TB, keys ...claims) []byte {
	t.Helper()
	if keys == nil {
		keys = []claims{}
	}
	text, err := json.Marshal(claims{"keys": keys})
	if err != nil {
		t.Fatal(err)
	}
	return text
}
