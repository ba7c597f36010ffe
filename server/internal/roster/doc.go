// Package roster keeps the sockets of a namespace by their ids, and those of one client.
package roster
