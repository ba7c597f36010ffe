// Package parser has parsers of Socket.IO packets: the interfaces for a parser of the application, and Msgpack.
//
//	srv, err := server.New(server.Config{Parser: parser.Msgpack()})
//
// Servers whose clients use Socket.IO's own encoding do not need it.
package parser
