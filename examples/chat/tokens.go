package main

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
	"time"
)

// tokenLife is how long a token is valid.
const tokenLife = 12 * time.Hour

var errToken = errors.New("no valid token")

// tokens signs names, so that the chat can trust them. Immutable, safe for concurrent use.
//
// The key is made at start, so all users sign in again after a restart. A program with several processes would share
// one key, or use the tokens of its own user management.
type tokens struct {
	key []byte
	now func() time.Time
}

func newTokens() *tokens {
	t := &tokens{key: make([]byte, 32), now: time.Now}
	_, _ = rand.Read(t.key) // it never fails
	return t
}

// sign makes the token of a name.
func (t *tokens) sign(name string) string {
	claim := strconv.FormatInt(t.now().Add(tokenLife).Unix(), 10) + "." + name
	return base64.RawURLEncoding.EncodeToString(t.mac(claim)) + "." + claim
}

// verify returns the name for which a token was made.
func (t *tokens) verify(token string) (string, error) {
	mac, claim, _ := strings.Cut(token, ".")
	sum, err := base64.RawURLEncoding.DecodeString(mac)
	if err != nil || !hmac.Equal(sum, t.mac(claim)) {
		return "", errToken
	}
	end, name, _ := strings.Cut(claim, ".")
	if seconds, err := strconv.ParseInt(end, 10, 64); err != nil || t.now().Unix() > seconds {
		return "", errToken
	}
	return name, nil
}

func (t *tokens) mac(claim string) []byte {
	h := hmac.New(sha256.New, t.key)
	h.Write([]byte(claim))
	return h.Sum(nil)
}
