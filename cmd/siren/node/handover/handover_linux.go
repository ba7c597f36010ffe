package handover

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/valyala/fasthttp"
	"golang.org/x/sys/unix"
)

const (
	// bodyMax is the longest body of a request, and of an answer: above any limit of the API's own.
	bodyMax = 512 << 20
	// idleTime closes a connection without a request.
	idleTime = time.Minute
)

// Well is the name that the process has which serves an address, Own that of this process.
func Well(address string) string { return fmt.Sprintf("@siren/%d/%s", os.Getuid(), address) }

// Own is the name of this process alone, for the same address.
func Own(address string) string { return fmt.Sprintf("%s/%d", Well(address), os.Getpid()) }

// Server serves other processes. Safe for concurrent use.
type Server struct {
	ln   net.Listener
	http *fasthttp.Server
	done chan struct{}
}

// Listen serves other processes of the user at a name. The error wraps unix.EADDRINUSE when another one has the name.
func Listen(name string, handler fasthttp.RequestHandler) (*Server, error) {
	ln, err := net.Listen("unix", name)
	if err != nil {
		return nil, err
	}
	s := &Server{
		ln: &sameUser{ln}, done: make(chan struct{}),
		http: &fasthttp.Server{
			Handler: handler, MaxRequestBodySize: bodyMax, IdleTimeout: idleTime, NoDefaultServerHeader: true,
			NoDefaultContentType: true, CloseOnShutdown: true, Logger: silent{},
		},
	}
	go func() {
		defer close(s.done)
		_ = s.http.Serve(s.ln)
	}()
	return s, nil
}

// Close gives the name up and waits a moment for the requests under way. s may be nil.
func (s *Server) Close() {
	if s == nil {
		return
	}
	_ = s.ln.Close()
	_ = s.http.Shutdown()
	<-s.done
}

// Clients listens for connections that other processes of the user pass on for clients of this one.
func Clients(own string) (net.Listener, error) {
	ln, err := net.Listen("unix", own+clientsOf)
	if err != nil {
		return nil, err
	}
	return &sameUser{ln}, nil
}

// clientsOf is behind the name of a process for its clients.
const clientsOf = "/clients"

// PassOn makes a client's request in the process with that name, and returns its answer. The body of the answer must be
// closed. It ends with ctx.
func PassOn(ctx context.Context, own string, request []byte) (*http.Response, error) {
	c, err := net.Dial("unix", own+clientsOf)
	if err == nil {
		defer context.AfterFunc(ctx, func() { _ = c.Close() })()
		err = trusted(c)
	}
	if err == nil {
		_, err = c.Write(request)
	}
	var r *http.Response
	if err == nil {
		r, err = http.ReadResponse(bufio.NewReader(c), nil)
	}
	if err != nil {
		if c != nil {
			_ = c.Close()
		}
		return nil, err
	}
	r.Body = &closing{r.Body, c}
	return r, nil
}

// closing closes the connection of an answer with its body.
type closing struct {
	io.ReadCloser
	c net.Conn
}

// Close implements io.Closer.
func (b *closing) Close() error { return errors.Join(b.ReadCloser.Close(), b.c.Close()) }

type silent struct{}

// Printf implements fasthttp.Logger.
func (silent) Printf(string, ...any) {}

// sameUser accepts connections of processes of the same user, and of root.
type sameUser struct{ net.Listener }

func (l *sameUser) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if trusted(c) == nil {
			return c, nil
		}
		_ = c.Close()
	}
}

var errStranger = errors.New("handover: the other process belongs to another user")

// trusted returns an error unless the peer of a unix socket belongs to the same user, or to root.
func trusted(c net.Conn) error {
	raw, err := c.(*net.UnixConn).SyscallConn()
	if err != nil {
		return err
	}
	var cred *unix.Ucred
	var e error
	err = raw.Control(func(fd uintptr) { cred, e = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
	if err = errors.Join(err, e); err != nil {
		return err
	}
	if cred.Uid != 0 && int(cred.Uid) != os.Getuid() {
		return errStranger
	}
	return nil
}

// Peer is another process. Safe for concurrent use.
type Peer struct{ http *fasthttp.HostClient }

// peerConns bounds the requests to another process at once; more wait.
const peerConns = 256

// Dial returns the process with that name. The error wraps unix.ECONNREFUSED when there is none.
func Dial(name string) (*Peer, error) {
	dial := func(string) (net.Conn, error) {
		c, err := net.Dial("unix", name)
		if err != nil {
			return nil, err
		}
		if err := trusted(c); err != nil {
			return nil, errors.Join(err, c.Close())
		}
		return c, nil
	}
	c, err := dial(name)
	if err != nil {
		return nil, err
	}
	_ = c.Close()
	return &Peer{&fasthttp.HostClient{
		Addr: "siren", Dial: dial, MaxConns: peerConns, MaxConnWaitTimeout: time.Minute, MaxResponseBodySize: bodyMax,
		NoDefaultUserAgentHeader: true, RetryIf: func(*fasthttp.Request) bool { return false },
	}}, nil
}

// Post makes a request and returns its answer.
func (p *Peer) Post(path string, body []byte) (status int, answer []byte, err error) {
	req, resp := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	defer fasthttp.ReleaseRequest(req)
	defer fasthttp.ReleaseResponse(resp)
	req.Header.SetMethod(fasthttp.MethodPost)
	req.SetRequestURI("http://siren" + path)
	req.Header.SetContentType("application/json")
	req.SetBody(body)
	if err := p.http.Do(req, resp); err != nil {
		return 0, nil, err
	}
	return resp.StatusCode(), append([]byte(nil), resp.Body()...), nil
}

// Close closes the connections that are not in use.
func (p *Peer) Close() {
	if p != nil {
		p.http.CloseIdleConnections()
	}
}

// None reports whether an error of Dial means that there is no such process.
func None(err error) bool { return errors.Is(err, unix.ECONNREFUSED) }
