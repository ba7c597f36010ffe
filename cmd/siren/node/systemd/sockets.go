package systemd

import (
	"errors"
	"fmt"
	"net"

	"github.com/coreos/go-systemd/v22/activation"
)

// The names of sockets (FileDescriptorName of a socket unit).
const (
	clientsName = "clients"
	adminName   = "admin"
)

// Sockets are the listening sockets that the process was started with. Immutable; the listeners are the caller's.
type Sockets struct {
	// Clients are those of the clients' listener; Admin is that of the operators', or nil.
	Clients []net.Listener
	Admin   net.Listener
}

// Activated takes the sockets over, and removes the variables that tell of them from the environment. A socket is found
// by its name, "clients" or "admin". Without these names the first socket is the clients', and the second the operators'.
func Activated() (Sockets, error) {
	var s Sockets
	var unnamed []net.Listener
	var err error
	for _, f := range activation.Files(true) {
		ln, e := net.FileListener(f)
		err = errors.Join(err, f.Close())
		switch {
		case e != nil:
			err = errors.Join(err, fmt.Errorf("the activated socket %q cannot be served: %w", f.Name(), e))
		case f.Name() == clientsName:
			s.Clients = append(s.Clients, ln)
		case f.Name() == adminName && s.Admin == nil:
			s.Admin = ln
		case f.Name() == adminName:
			err = errors.Join(err, fmt.Errorf("%v is a second activated socket for operators", ln.Addr()), ln.Close())
		default:
			unnamed = append(unnamed, ln)
		}
	}
	for _, ln := range unnamed {
		switch {
		case len(s.Clients) == 0:
			s.Clients = append(s.Clients, ln)
		case s.Admin == nil:
			s.Admin = ln
		default:
			err = errors.Join(err, fmt.Errorf("%v is an activated socket too many: name sockets %q or %q", ln.Addr(),
				clientsName, adminName), ln.Close())
		}
	}
	if err != nil {
		s.Close()
		return Sockets{}, err
	}
	return s, nil
}

// Close closes the listeners.
func (s *Sockets) Close() {
	for _, ln := range s.Clients {
		_ = ln.Close()
	}
	if s.Admin != nil {
		_ = s.Admin.Close()
	}
}

// Address is the address of a listener, with its scheme.
func Address(ln net.Listener) string {
	if a := ln.Addr(); a.Network() == "unix" {
		return "unix://" + a.String()
	}
	return "tcp://" + ln.Addr().String()
}
