// Package gate decides who comes into the namespaces of a node, and what the backend is told: it checks tokens, asks
// the backend by webhooks, ends sockets whose tokens expire, and takes renewed tokens.
//
//	g, err := gate.New(gate.Config{Tokens: token.Config{HMACSecrets: secrets}})
//	...
//	g.Serve(srv.Of("/"), func(ns string) *gate.Rule { return &rule })
//
// # The order of checks
//
// A client's token is checked first, then what it allows against the rule of the namespace, and then the backend is
// asked. All of that is middleware, so nobody sees a client before it is let in. The rooms of its token and of the
// backend's answer are joined before CONNECT is sent.
//
// # Memory
//
// A socket with a token keeps the token's claims (Socket.Identity) and a deadline. Its auth payload is replaced by one
// without the token.
//
// Gate is safe for concurrent use.
package gate
