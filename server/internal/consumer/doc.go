// Package consumer finds the methods that handle events of a type that package server's Register was given, and checks
// their signatures. Which event a method handles is a matter of Names. It knows nothing of sockets: the caller gives
// their type.
package consumer
