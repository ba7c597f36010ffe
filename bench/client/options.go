package client

import (
	"crypto/tls"
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"time"
)

// Transport names how a session talks to the server.
type Transport string

// The transports of a session.
const (
	// WebSocket opens a WebSocket straight away.
	WebSocket Transport = "websocket"
	// Polling stays on HTTP long-polling.
	Polling Transport = "polling"
	// Upgrade begins on long-polling, and moves to WebSocket before it joins the namespace.
	Upgrade Transport = "upgrade"
)

// defaultPath is where Socket.IO servers mount by default.
const defaultPath = "/socket.io/"

// DefaultTimeout is the time for opening a session if Options.Timeout is 0.
const DefaultTimeout = 30 * time.Second

// Options describe sessions. Immutable once in use, and safe to share.
type Options struct {
	// URL of the server: scheme http, https, ws or wss, host, port, and a path if it is not "/socket.io/".
	URL *url.URL
	// Namespace to join, "/" if empty.
	Namespace string
	// Auth is the JSON object that the namespace gets with CONNECT, nil for none.
	Auth json.RawMessage
	// Query holds parameters besides those of the protocol.
	Query url.Values
	// Header holds further fields of every HTTP request. A field Host replaces the URL's.
	Header http.Header
	// Transport, WebSocket if empty.
	Transport Transport
	// TLS is used for https and wss, nil for the defaults.
	TLS *tls.Config
	// Timeout bounds the opening of a session, DefaultTimeout if 0.
	Timeout time.Duration
	// HTTP makes the requests of long-polling; needed for Polling and Upgrade. See NewHTTP.
	HTTP *http.Client
}

// NewHTTP returns a client for long-polling, to be shared by many sessions.
func NewHTTP(config *tls.Config) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			TLSClientConfig: config, MaxIdleConns: 0, MaxIdleConnsPerHost: 1 << 20, IdleConnTimeout: time.Minute,
			DisableCompression: true,
			DialContext:        (&net.Dialer{}).DialContext,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func (o *Options) timeout() time.Duration {
	if o.Timeout > 0 {
		return o.Timeout
	}
	return DefaultTimeout
}

func (o *Options) namespace() string {
	if o.Namespace == "" {
		return "/"
	}
	return o.Namespace
}

func (o *Options) path() string {
	if p := o.URL.EscapedPath(); p != "" && p != "/" {
		return p
	}
	return defaultPath
}

// secure reports whether the server is asked over TLS.
func (o *Options) secure() bool { return o.URL.Scheme == "https" || o.URL.Scheme == "wss" }

// address returns the URL of a request. An empty sid asks for a new session.
func (o *Options) address(websocket bool, sid string) string {
	scheme, transport := "http", Polling
	if websocket {
		scheme, transport = "ws", WebSocket
	}
	if o.secure() {
		scheme += "s"
	}
	query := url.Values{}
	for name, values := range o.Query {
		query[name] = values
	}
	query.Set("EIO", "4")
	query.Set("transport", string(transport))
	if sid != "" {
		query.Set("sid", sid)
	}
	return scheme + "://" + o.URL.Host + o.path() + "?" + query.Encode()
}

// header returns the fields for a request without Host, and the value of Host.
func (o *Options) header() (http.Header, string) {
	h := o.Header.Clone()
	host := h.Get("Host")
	h.Del("Host")
	return h, host
}
