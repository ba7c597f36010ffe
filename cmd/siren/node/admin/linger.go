package admin

import (
	"crypto/tls"
	"io"
	"net"
	"sync/atomic"
	"time"
)

const (
	// lingerTime and lingerBytes bound what is read and thrown away behind an answer that came before the request was
	// read: closing at once would reset the connection, and the client might lose the answer.
	lingerTime  = time.Second
	lingerBytes = 16 << 20
)

// lingering is a listener whose connections can linger.
type lingering struct{ net.Listener }

// Accept implements net.Listener.
func (l *lingering) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &lingeringConn{Conn: c}, nil
}

// lingeringConn is a connection that reads on before it closes, once linger was called for it.
type lingeringConn struct {
	net.Conn
	lingers atomic.Bool
}

// linger has a connection linger when it is closed.
func linger(c net.Conn) {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	if l, ok := c.(*lingeringConn); ok {
		l.lingers.Store(true)
	}
}

// Close implements net.Conn.
func (c *lingeringConn) Close() error {
	if !c.lingers.Swap(false) {
		return c.Conn.Close()
	}
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
		_ = c.Conn.SetReadDeadline(time.Now().Add(lingerTime))
		_, _ = io.CopyN(io.Discard, c.Conn, lingerBytes)
	}
	return c.Conn.Close()
}

func tlsListener(ln net.Listener, cfg *tls.Config) net.Listener { return tls.NewListener(ln, cfg) }
