//go:build !linux

package portshare

import "net"

// Bind returns ErrUnsupported.
func Bind(network, address string) (fd int, err error) { return -1, ErrUnsupported }

// Bound returns ErrUnsupported.
func Bound(fd int) (*net.TCPAddr, error) { return nil, ErrUnsupported }

// Steer returns ErrUnsupported.
func Steer(fd int) error { return ErrUnsupported }

// Listener is a socket of a shared port. There is none on this system.
type Listener struct{ net.Listener }

// Listen returns ErrUnsupported.
func Listen(fd, backlog int) (*Listener, error) { return nil, ErrUnsupported }

// Steer returns ErrUnsupported.
func (l *Listener) Steer() error { return ErrUnsupported }
