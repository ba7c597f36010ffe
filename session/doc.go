// Package session implements Engine.IO protocols 4 and 3: the handshake, the HTTP long-polling and WebSocket
// transports, the upgrade from one to the other, the heartbeat, and the end of sessions.
//
// # Concurrency
//
// A Session lives on one event loop, its home shard, and only that loop touches it. A session id names the shard
// (eio.ShardOf), so a request that arrives on another loop is posted to the home shard and its answer posted back;
// a WebSocket that arrives on another loop exchanges its messages with the home shard the same way.
//
// The package is independent of sockets: Conn, StreamConn and Loop in ports.go are its interface to an event loop, App
// and Client its interface to an application. Tests drive it with the fake loop of poller/pollertest.
//
// # Use
//
//	engine, err := session.New(session.Config{Path: "/engine.io"}, app, loops, borrow)
//	// for each accepted connection, on its loop:
//	receiver := engine.Accept(conn, loop.Index())
package session
