// Package client is a Socket.IO client for measurements: one session in one namespace, over WebSocket or long-polling,
// plain or over TLS.
//
// [Dial] returns when the namespace has accepted the session. Events come on the session's reading goroutine, with the
// moment at which they were read. Whatever goes wrong is a [Fault], which says what was expected, what came, and what to
// do about it.
//
//	c, err := client.Dial(ctx, &client.Options{URL: u, Namespace: "/chat"}, func(e *client.Event) { … })
//	if err != nil {
//		return err
//	}
//	defer c.Close()
//	err = c.Emit("message", []byte(`"hello"`), nil)
//
// A Client is safe for concurrent use. Options are immutable once in use.
package client
