//go:build !linux

package handover

import (
	"context"
	"net"
	"net/http"

	"github.com/valyala/fasthttp"

	"github.com/seed58c87869/siren/poller/portshare"
)

// Well returns the name that the process has which serves an address.
func Well(address string) string { return address }

// Own returns the name of this process alone.
func Own(address string) string { return address }

// Server serves other processes. There are none on this system.
type Server struct{}

// Listen returns portshare.ErrUnsupported.
func Listen(string, fasthttp.RequestHandler) (*Server, error) { return nil, portshare.ErrUnsupported }

// Close does nothing.
func (s *Server) Close() {}

// Peer is another process. There are none on this system.
type Peer struct{}

// Dial returns portshare.ErrUnsupported.
func Dial(string) (*Peer, error) { return nil, portshare.ErrUnsupported }

// Post returns portshare.ErrUnsupported.
func (p *Peer) Post(string, []byte) (int, []byte, error) { return 0, nil, portshare.ErrUnsupported }

// Close does nothing.
func (p *Peer) Close() {}

// None returns false.
func None(error) bool { return false }

// Clients returns portshare.ErrUnsupported.
func Clients(string) (net.Listener, error) { return nil, portshare.ErrUnsupported }

// PassOn returns portshare.ErrUnsupported.
func PassOn(context.Context, string, []byte) (*http.Response, error) {
	return nil, portshare.ErrUnsupported
}
