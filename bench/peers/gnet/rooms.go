package main

import (
	"bytes"
	"sync"

	"github.com/panjf2000/gnet/v2"
)

// rooms holds the connections that have entered each room. Safe for concurrent use.
type rooms struct {
	mu     sync.RWMutex
	byName map[string][]gnet.Conn // guarded by mu; the slices are replaced, never changed
}

// enter adds a connection to a room. Connections never leave: the server ends with the run.
func (r *rooms) enter(name string, c gnet.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.byName == nil {
		r.byName = make(map[string][]gnet.Conn)
	}
	old := r.byName[name]
	r.byName[name] = append(old[:len(old):len(old)], c)
}

// pass sends a packet to the others in the room, as a frame of its own: at once to those on the caller's loop, and by
// gnet's queue to those on another loop.
func (r *rooms) pass(name string, from gnet.Conn, packet []byte) {
	r.mu.RLock()
	members := r.byName[name]
	r.mu.RUnlock()
	frame := append(header(make([]byte, 0, len(packet)+4), len(packet)), packet...)
	for _, c := range members {
		switch {
		case c == from:
		case c.EventLoop() == from.EventLoop():
			_, _ = c.Write(frame)
		default:
			_ = c.AsyncWrite(frame, nil)
		}
	}
}

// roomOf returns the room that an enter packet names.
func roomOf(args []byte) (name string, ok bool) {
	args, ok = bytes.CutPrefix(args, []byte(`["enter","`))
	return string(bytes.TrimSuffix(args, []byte(`"]`))), ok
}
