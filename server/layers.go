package server

import (
	"context"
	"errors"

	"github.com/seed58c87869/siren/codec/sio"
	"github.com/seed58c87869/siren/server/internal/refusal"
	"github.com/seed58c87869/siren/session"
)

// checkIdle refuses settings of what is not switched on: they would do nothing, in silence.
func (c *Config) checkIdle() error {
	switch {
	case c.Recovery.MaxDisconnection == 0 && c.Recovery != Recovery{}:
		return errors.New("server: Config.Recovery has settings but no MaxDisconnection, which switches it on")
	case c.HealthPath != "" && c.Fallback == nil:
		return errors.New("server: Config.HealthPath needs a Fallback, which answers it")
	case c.Cookie.Name == "" && c.Cookie != Cookie{}:
		return errors.New("server: Config.Cookie has settings but no Name, which switches it on")
	}
	return nil
}

// session returns the part of the configuration that the Engine.IO layer needs.
func (c *Config) session() session.Config {
	sc := session.Config{
		Path: c.Path, Transports: c.Transports, AllowEIO3: c.AllowEIO3, NoUpgrades: c.NoUpgrades,
		PingInterval: c.PingInterval, PingTimeout: c.PingTimeout, UpgradeTimeout: c.UpgradeTimeout,
		HeaderTimeout: c.HeaderTimeout, BodyTimeout: c.BodyTimeout, IdleTimeout: c.IdleTimeout,
		MaxPayload: c.MaxPayload, MaxHeaderBytes: c.MaxHeaderBytes, MaxRequestBody: c.MaxRequestBody,
		QueueBytes: c.Queue.MaxBytes, OnFull: c.Queue.OnFull, VolatileBytes: c.Queue.VolatileBytes, MaxSessions: c.MaxSessions,
		Limits: c.Limits, AppAdmits: true,
		MaxHandshakes: c.MaxHandshakes, HealthPath: c.HealthPath, MaxHealthConns: c.MaxHealthConns,
		CORS: c.CORS, Cookie: c.Cookie, ProxyProtocol: c.ProxyProtocol, TrustedProxies: c.TrustedProxies,
		PerMessageDeflate: c.PerMessageDeflate, HTTPCompression: c.HTTPCompression,
		Tune: c.Tune, GenerateID: c.GenerateID, Forwarder: c.Forwarder,
		OnInitialHeaders: c.OnInitialHeaders, OnHeaders: c.OnHeaders, SelectProtocol: c.SelectProtocol,
		OnConnectionError: c.OnConnectionError,
	}
	if c.AllowRequest != nil {
		sc.Allow = func(ctx context.Context, h *RequestInfo) error {
			err := c.AllowRequest(ctx, h)
			if r, ok := refusal.As(err); ok {
				return session.Refusal(r.Message)
			}
			return err
		}
	}
	return sc
}

// packets returns the limits of one packet. Its attachments are messages of their own, of MaxPayload each; all of them
// together have to fit the inbox.
func (c *Config) packets() sio.Limits {
	l := sio.Limits{Attachments: c.MaxAttachments, AttachmentBytes: min(10*c.MaxPayload, c.Inbox.MaxBytes)}
	if c.AllowEIO3 {
		l.Namespace = queryNamespaceBytes
	}
	return l.Effective()
}

// queryNamespaceBytes is room for a namespace and the query that clients of protocol 3 put behind it: tokens are in
// there, and as long as they may be in a request line.
const queryNamespaceBytes = 16 << 10
