// Package parser has the parsers of Socket.IO packets: the interfaces for one of the application's own, and Msgpack.
//
//	srv, err := server.New(server.Config{Parser: parser.Msgpack()})
//
// Servers whose clients use Socket.IO's own encoding need none of it.
package parser
