// Package cluster is the seam between a server and the other servers of its cluster, its nodes: the [Message] they
// send each other, and the [Adapter] that carries it. [Bus] is an adapter for several servers of one process.
//
// # Who does what
//
// A server serves its own sockets by itself, whatever the adapter does. It tells the other nodes what it did with one
// Message, and each of them does the same with its own sockets. Questions carry a request id, and the answers go
// back to the node that asked. An adapter needs to know nothing of rooms or sockets: it turns messages into the format
// of its broker and back, knows which nodes there are, and keeps the order of what one node publishes.
//
// The kinds of messages, and what they carry, are those of the reference's cluster adapters, so an adapter may
// speak their formats, and its nodes may be servers of either make. Where those formats say less, fields stay empty:
// an answer need not tell its sender, nor peers their names.
//
// # Concurrency
//
// A Message is immutable from the time it is published or received: it may be shared, and kept. Adapters are called from
// event loops, so nothing but Peers and Close may block.
//
//	bus := cluster.NewBus()
//	a, err := server.New(server.Config{}, server.WithAdapter(bus.Node("a")))
//	b, err := server.New(server.Config{}, server.WithAdapter(bus.Node("b")))
package cluster
