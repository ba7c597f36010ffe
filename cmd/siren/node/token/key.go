package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
)

// algorithms by the kind of their keys (RFC 7518 section 3, RFC 8037).
var (
	hmacAlgorithms = []string{"HS256", "HS384", "HS512"}
	rsaAlgorithms  = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}
	ecAlgorithms   = map[elliptic.Curve]string{
		elliptic.P256(): "ES256", elliptic.P384(): "ES384", elliptic.P521(): "ES512",
	}
)

// minRSABits is what RFC 7518 section 3.3 demands.
const minRSABits = 2048

// Algorithms returns the algorithms that tokens may have.
func Algorithms() []string {
	return slices.Concat(hmacAlgorithms, rsaAlgorithms, []string{"ES256", "ES384", "ES512", "EdDSA"})
}

// key is a public key and the algorithms that it verifies. Immutable.
type key struct {
	public     crypto.PublicKey
	algorithms []string
}

// newKey finds out what a public key can verify. Errors: the kind or size of the key is not accepted.
func newKey(public crypto.PublicKey) (key, error) {
	switch k := public.(type) {
	case *rsa.PublicKey:
		if k.N.BitLen() < minRSABits {
			return key{}, fmt.Errorf("an RSA key has %d bits, at least %d are needed", k.N.BitLen(), minRSABits)
		}
		return key{k, rsaAlgorithms}, nil
	case *ecdsa.PublicKey:
		if a, ok := ecAlgorithms[k.Curve]; ok {
			return key{k, []string{a}}, nil
		}
		return key{}, errors.New("an elliptic curve is none of P-256, P-384 and P-521")
	case ed25519.PublicKey:
		return key{k, []string{"EdDSA"}}, nil
	}
	return key{}, fmt.Errorf("a %T verifies no signatures of tokens", public)
}

// parsePEM reads public keys and certificates, one or more.
func parsePEM(text []byte) ([]key, error) {
	var keys []key
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			break
		}
		public, err := parseBlock(block)
		if err != nil {
			return nil, err
		}
		k, err := newKey(public)
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	if len(keys) == 0 {
		return nil, errors.New("no PEM block in it")
	}
	return keys, nil
}

func parseBlock(block *pem.Block) (crypto.PublicKey, error) {
	switch block.Type {
	case "PUBLIC KEY":
		return x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		return x509.ParsePKCS1PublicKey(block.Bytes)
	case "CERTIFICATE":
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		return cert.PublicKey, nil
	}
	return nil, fmt.Errorf("a PEM block is a %s, not a public key or a certificate", block.Type)
}
