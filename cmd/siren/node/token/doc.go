// Package token verifies the JSON Web Tokens (RFC 7519) that clients connect with, and signs ones for tests.
//
// A Verifier is made from a Config. It accepts a token only with an algorithm that a configured key can have: a shared
// secret verifies HS256, HS384 and HS512, a public key those of its own kind. The algorithm in a token's header selects
// among the keys and never decides what a key is used for, so a public key cannot be taken for a shared secret. The
// algorithm "none" is never accepted.
//
// What a token allows is in its Claims. A claim narrows what the rules of the node allow and never widens it.
//
//	v, err := token.New(token.Config{HMACSecrets: []string{secret}})
//	...
//	claims, err := v.Verify(ctx, text)
//	if err != nil {
//		return token.Message(err) // "token invalid"
//	}
//	if claims.AllowsJoin("room-1") { ... }
//
// Verifier and Revocations are safe for concurrent use; Claims are immutable.
package token
