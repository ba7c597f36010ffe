// Package engineio is a plain Engine.IO server: sessions that carry messages of text or bytes, over WebSockets or HTTP
// long-polling, without Socket.IO's packets, namespaces and rooms. Clients use the package engine.io-client.
//
//	srv, err := engineio.New(engineio.Config{Open: func(s engineio.Socket) engineio.Client {
//		return echo{s}
//	}})
//	if err != nil {
//		log.Fatal(err)
//	}
//	if err := srv.ListenAndServe(ctx, ":3000"); err != nil { // nil when ctx ends
//		log.Fatal(err)
//	}
//
//	type echo struct{ socket engineio.Socket }
//
//	func (e echo) Message(data []byte, binary bool) { _ = e.socket.SendText(string(data)) }
//	func (e echo) Closed(engineio.Reason)           {}
package engineio
