// Package socketctx has the context of a socket, which is part of the socket and costs nothing until somebody waits on
// it.
package socketctx
