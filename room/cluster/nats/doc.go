// Package nats is an adapter for clusters whose nodes exchange messages through NATS (core, at most once), in a binary
// format of its own. No adapter of the reference speaks NATS, so all nodes are servers of this project.
//
//	a, err := nats.New(nats.Config{URL: "nats://127.0.0.1:4222"})
//	if err != nil {
//		return err
//	}
//	srv, err := server.New(server.Config{}, server.WithAdapter(a))
//
// # Subjects
//
// All begin with sio.PREFIX. Names of namespaces, rooms and nodes are one token each: base64url without padding, or a
// hash where the name is long.
//
//	sio.PREFIX.NAMESPACE.all           what is for all nodes that have the namespace
//	sio.PREFIX.NAMESPACE.room.ROOM     events for one room
//	sio.PREFIX.NAMESPACE.node.NODE     answers for one node
//	sio.PREFIX.-.all                   which nodes there are, and their namespaces
//	sio.PREFIX.-.node.NODE             the same for one node
//
// A node subscribes to the rooms in which it has sockets, or to all rooms by a pattern, by Config.Rooms.
//
// # The connection
//
// An adapter has one connection. Publish and Send only queue; a goroutine encodes and writes what waits. The broker
// acknowledges nothing by itself, so the adapter asks it from time to time, and counts a message as published when the
// broker has answered a question behind it. A connection that is lost, or that no longer answers while another one does,
// is replaced, and everything is subscribed again. Messages whose outcome is unknown are not sent again, so nothing
// arrives twice. Messages longer than the broker takes are sent in parts.
//
// # The nodes
//
// Each node tells the others every Config.HeartbeatEvery that it is there, and which namespaces it has. A node that is
// silent for Config.NodeTimeout counts as gone; while the broker does not answer, nobody does.
//
// # What comes from the broker
//
// Anybody who can publish there can send messages, so they are treated like input of clients: they are decoded within
// bounds, and what is not in the format is dropped and counted. Each namespace has its own bounded queue and its own
// goroutine, so one that is behind does not hold up another.
//
// # Concurrency
//
// An Adapter is safe for concurrent use. Messages of a namespace are delivered one at a time, in the order in which
// the broker sent them.
package nats
