// Package cluster defines the interface between a server and the other servers of its cluster, its nodes: the [Message]
// that nodes exchange, and the [Adapter] that carries it. [Bus] is an adapter for several servers of one process.
//
// # Responsibilities
//
// A server serves its own sockets, whatever the adapter does. It tells the other nodes what it did in one Message, and
// each of them does the same with its own sockets. Questions carry a request id, and answers go back to the node that
// asked. An adapter needs no knowledge of rooms or sockets: it converts messages to and from the format of its broker,
// knows the nodes, and keeps the order of what one node publishes.
//
// The kinds of messages and their contents are those of the reference's cluster adapters, so an adapter may use their
// formats, and its nodes may be servers of either implementation. Where those formats have less, fields stay empty:
// answers may lack their sender, and peers their names.
//
// # Recovery
//
// A broker that keeps what is broadcast lets clients come back at any node: its adapter has a [Log]. A server that
// recovers clients subscribes with it. The node that loses a client saves its [Session], and the one that it comes back
// to takes it and reads what the client has missed.
//
// # Concurrency
//
// A Message is immutable from the time it is published or received: it may be shared and kept. Adapters are called from
// event loops, so only Peers and Close may block.
//
//	bus := cluster.NewBus()
//	a, err := server.New(server.Config{}, server.WithAdapter(bus.Node("a")))
//	b, err := server.New(server.Config{}, server.WithAdapter(bus.Node("b")))
package cluster
