package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
)

// Fault is something that went wrong with a session. Immutable.
type Fault struct {
	// Expected is what the client waited for, Got what came in place of it, Next what the user can do about it; Next may
	// be empty.
	Expected, Got, Next string
	// Err is the cause, nil if there is none.
	Err error
}

// Error returns all parts in one line.
func (f *Fault) Error() string {
	text := fmt.Sprintf("expected %s; got %s", f.Expected, f.Got)
	if f.Next != "" {
		text += "; " + f.Next
	}
	return text
}

// Unwrap returns the cause.
func (f *Fault) Unwrap() error { return f.Err }

// Unreachable explains why the network gave no answer.
func Unreachable(o *Options, expected string, err error) *Fault {
	f := &Fault{Expected: expected, Got: err.Error(), Err: err}
	var unknown x509.UnknownAuthorityError
	var record tls.RecordHeaderError
	var name x509.HostnameError
	var dns *net.DNSError
	var invalid *tls.CertificateVerificationError
	switch {
	case errors.As(err, &unknown):
		f.Got = "a certificate of an unknown authority"
		f.Next = "name its certificate as tls.ca_file, or set tls.insecure: true"
	case errors.As(err, &name):
		f.Got = "a certificate for another name (" + name.Error() + ")"
		f.Next = "set tls.server_name to a name of the certificate"
	case errors.As(err, &invalid):
		f.Got = "a certificate that is not valid (" + invalid.Err.Error() + ")"
		f.Next = "renew it, or set tls.insecure: true"
	case errors.As(err, &record), isPlain(err):
		f.Got = "an answer that is not TLS"
		f.Next = "use http:// for a server without TLS"
	case errors.Is(err, syscall.ECONNREFUSED):
		f.Got = "connection refused"
		f.Next = "start the server, or correct the host and port in the URL"
	case errors.As(err, &dns):
		f.Got = fmt.Sprintf("no address for the name %s", dns.Name)
		f.Next = "correct the host in the URL"
	case errors.Is(err, context.DeadlineExceeded), isTimeout(err):
		f.Got = fmt.Sprintf("nothing within %v", o.timeout())
		f.Next = "allow more time, or open sessions more slowly"
	case errors.Is(err, context.Canceled):
		f.Got, f.Next = "the end of the run", ""
	case errors.Is(err, syscall.EMFILE):
		f.Got = "no free file descriptor"
		f.Next = "raise the limit of open files (ulimit -n), or use fewer users"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		f.Got = "no free local port"
		f.Next = "use fewer users, or a wider net.ipv4.ip_local_port_range"
	case isCut(err):
		f.Got = "the end of the connection"
		f.Next = "see the server's log for the reason"
	}
	return f
}

// isPlain reports whether a server without TLS answered a TLS handshake.
func isPlain(err error) bool {
	return errors.Is(err, http.ErrSchemeMismatch) || strings.Contains(err.Error(), "server gave HTTP response to HTTPS client")
}

// isTimeout reports whether a deadline passed.
func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// isCut reports whether the peer, or this side, has closed the connection.
func isCut(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// RefusedHTTP explains an HTTP status. The body, of which the beginning is enough, often has the server's reason.
func RefusedHTTP(o *Options, expected string, status int, body []byte) *Fault {
	got := fmt.Sprintf("HTTP status %d", status)
	if text := http.StatusText(status); text != "" {
		got += " " + text
	}
	if text := printable(body); text != "" {
		got += ": " + text
	}
	f := &Fault{Expected: expected, Got: got}
	switch {
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		f.Next = "check headers and auth: the server refuses this client"
	case status == http.StatusNotFound, status == http.StatusMethodNotAllowed, status/100 == 2:
		f.Next = fmt.Sprintf("check the path: Socket.IO may not be served at %s", o.path())
	case status/100 == 3:
		f.Next = "use the URL that the server redirects to"
	case status == http.StatusBadRequest:
		f.Next = "check the transports, and that the server speaks Engine.IO 4 (Socket.IO 3 and later)"
	case status == http.StatusTooManyRequests, status == http.StatusServiceUnavailable:
		f.Next = "open sessions more slowly, or raise the server's limits"
	case status/100 == 5:
		f.Next = "see the log of the server or proxy"
	}
	return f
}

// excerptMax is how much of a foreign text a fault shows.
const excerptMax = 120

// printable returns the beginning of a text in one line.
func printable(text []byte) string {
	s := strings.Join(strings.Fields(strings.ToValidUTF8(string(text), "?")), " ")
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, s)
	if len(s) > excerptMax {
		s = strings.ToValidUTF8(s[:excerptMax], "") + "…"
	}
	return s
}

// quoted returns the beginning of a packet for a fault.
func quoted(packet []byte) string { return fmt.Sprintf("the packet %q", printable(packet)) }
