package node

import (
	"errors"
	"fmt"
	"net"
	"syscall"

	"github.com/seed58c87869/siren/server"
)

// listenError says in plain words what most often keeps a server from listening, and which flags may help.
func listenError(err error) error {
	var listen *server.ListenError
	var files *server.FilesError
	switch {
	case errors.As(err, &files):
		return fmt.Errorf("the limit of open files is %d, and at least %d are needed; raise it (ulimit -n)",
			files.Limit, files.Need)
	case !errors.As(err, &listen):
		return err
	}
	why := listen.Err.Error()
	var dns *net.DNSError
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		why = "the address is in use; stop who uses it, or choose another with --addr"
	case errors.Is(err, syscall.EACCES):
		why = "permission denied"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		why = "this machine does not have that address"
	case errors.As(err, &dns):
		why = fmt.Sprintf("unknown host %q", dns.Name)
	}
	return fmt.Errorf("cannot listen on %s: %s", listen.Addr, why)
}
