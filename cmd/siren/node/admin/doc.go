// Package admin is the operators' listener of the broadcast node: HTTP for people and programs that run it, apart from the
// clients' listener. It decides who may ask, bounds what a request may cost, and answers what is about the process itself
// (health, readiness, profiles). Everything else is registered with it as a Route.
//
// With keys, a request for anything but open routes needs one of them. Without keys only programs of the same machine may
// ask: the listener opens no other address, and pages in a browser are kept out by their Origin, by the Host that they
// were resolved from, and by the type of their forms' bodies.
package admin
