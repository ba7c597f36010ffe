// Package api is the HTTP API of the broadcast node: what a backend in any language sends to the node to publish events, to
// move and disconnect sockets, and to see who is there. It is routes for package admin, on the public package server.
//
// Each call is a POST with a JSON object, decoded strictly: a field that is unknown, of the wrong type, null or there twice
// is an error that names it by its path, and nothing is done. No call runs on an event loop, and none makes one wait.
package api
