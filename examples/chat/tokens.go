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

// tokenLife is how long a token lets its owner in.
const tokenLife = 12 * time.Hour

var errToken = errors.New("no valid token")

// tokens signs names, so that the chat may believe them. Immutable, safe for concurrent use.
//
// The key is made at start: after a restart everybody signs in again. A program with several processes has one key for
// all of them, or the tokens of whoever keeps its users.
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

// verify gives the name that a token was made for.
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
