// Package pysocketio joins a server to servers and programs in Python: it speaks the channel of python-socketio's
// managers on Redis, in the JSON of its versions from 5.14 on. Older ones use pickle, which is refused and counted.
//
// A [Bridge] is an adapter that works beside another one: what Python emits reaches this node's sockets, and what the
// server emits reaches the clients of Python's servers. Each node of a cluster has its own bridge. Without another
// adapter, the server's only neighbours are those on the channel.
//
//	inner, err := redis.New(redis.Config{URL: address})
//	...
//	bridge, err := pysocketio.New(pysocketio.Config{URL: address}, inner)
//	...
//	srv, err := server.New(server.Config{}, server.WithAdapter(bridge))
//
// # What is carried
//
// Events to all, to rooms and to single sockets, with binary data, without sockets that are left out; ends of sockets;
// sockets that enter and leave rooms; rooms that are closed. A Python program that asks a client of this server for an
// acknowledgement (callback) gets it. The channel has no place for other questions: fetches, acknowledgements and
// server-side events of this server stay with its own nodes.
//
// # Concurrency
//
// A Bridge is safe for concurrent use.
package pysocketio
