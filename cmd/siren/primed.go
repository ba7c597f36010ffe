package main

import "net"

// primed is a connection that gives first before what else it has.
type primed struct {
	net.Conn
	first []byte
}

// Read implements net.Conn.
func (c *primed) Read(p []byte) (int, error) {
	if len(c.first) > 0 {
		n := copy(p, c.first)
		c.first = c.first[n:]
		return n, nil
	}
	return c.Conn.Read(p)
}
