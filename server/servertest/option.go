package servertest

import (
	"net/netip"
	"net/url"

	"github.com/seed58c87869/siren/server"
)

// Option changes how a client connects.
type Option func(*options)

// options are the options of a client. Immutable once it has connected.
type options struct {
	namespace string
	auth      any
	transport server.Transport
	upgrade   bool
	address   netip.AddrPort
	badAddr   string
	headers   []string // whole lines
	query     url.Values
	loop      int // negative: the loops in turn
	silent    bool
}

func newOptions(opts []Option) *options {
	o := &options{namespace: "/", transport: server.WebSocket, query: url.Values{}, loop: -1}
	for _, set := range opts {
		set(o)
	}
	return o
}

// Namespace sets the namespace to join. Default "/".
func Namespace(name string) Option { return func(o *options) { o.namespace = name } }

// Auth sets the payload of CONNECT, which must encode to a JSON object. Default: none.
func Auth(auth any) Option { return func(o *options) { o.auth = auth } }

// Transport sets the client's first transport. Default server.WebSocket.
func Transport(t server.Transport) Option { return func(o *options) { o.transport = t } }

// Upgrade makes the client begin with polling and upgrade to a WebSocket once it has connected, like browsers.
func Upgrade() Option {
	return func(o *options) { o.transport, o.upgrade = server.Polling, true }
}

// Address sets the client's address, such as "203.0.113.7:4000"; the port may be left out. Default 192.0.2.1:40000.
func Address(addr string) Option {
	return func(o *options) {
		if a, err := netip.ParseAddr(addr); err == nil {
			o.address = netip.AddrPortFrom(a, 40000)
		} else if o.address, err = netip.ParseAddrPort(addr); err != nil {
			o.badAddr = addr
		}
	}
}

// Header adds a field to the client's HTTP requests.
func Header(name, value string) Option {
	return func(o *options) { o.headers = append(o.headers, name+": "+value) }
}

// Query adds a parameter to the URL of the client's requests.
func Query(name, value string) Option { return func(o *options) { o.query.Add(name, value) } }

// OnLoop opens the client's connections on the event loop with that index. Default: each on the next loop, so that with
// several loops a polling client's requests come in on all of them.
func OnLoop(index int) Option { return func(o *options) { o.loop = max(index, 0) } }

// NoPongs makes the client not answer pings; see also Client.AnswerPings.
func NoPongs() Option { return func(o *options) { o.silent = true } }
