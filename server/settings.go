package server

import (
	"fmt"
	"time"

	"github.com/seed58c87869/siren/session"
)

// NamespaceConfig holds the settings that can differ per namespace, or for all children of a parent. The names are
// those of Config. A zero field is inherited: from the parent namespace, then from the server's Config.
type NamespaceConfig struct {
	// MaxRooms bounds the rooms of one socket.
	MaxRooms int
	// MaxPendingAcks bounds the acknowledgements that one socket is owed.
	MaxPendingAcks int
	// AckTimeout ends a Call, Request or EmitAck whose context has no deadline. It is kept as exactly as the shortest
	// time of Config asks for.
	AckTimeout time.Duration
	// Inbox bounds the events that wait for one socket's handlers; each of its fields may be zero by itself.
	Inbox Inbox
	// EchoUnhandled tells whether an event without a handler is answered with its own arguments; nil is inherited.
	EchoUnhandled *bool
}

// settings has all settings of a namespace. Immutable.
type settings struct {
	maxRooms       int
	maxPendingAcks int
	ackTimeout     time.Duration
	inbox          session.InboxLimits
	echo           bool
}

func (c *Config) settings(inbox session.InboxLimits) settings {
	return settings{c.MaxRooms, c.MaxPendingAcks, c.AckTimeout, inbox, c.EchoUnhandled}
}

// Configure sets the namespace's own settings, and replaces those of an earlier call. They apply at once, also to
// existing sockets; what exceeds a lower limit stays. Errors name the field; nothing is changed then.
func (r *registry) Configure(c NamespaceConfig) error {
	for _, f := range []struct {
		name  string
		value int64
	}{
		{"MaxRooms", int64(c.MaxRooms)}, {"MaxPendingAcks", int64(c.MaxPendingAcks)}, {"AckTimeout", int64(c.AckTimeout)},
		{"Inbox.MaxEvents", int64(c.Inbox.MaxEvents)}, {"Inbox.MaxBytes", int64(c.Inbox.MaxBytes)},
	} {
		if f.value < 0 {
			return fmt.Errorf("server: NamespaceConfig.%s = %d is negative", f.name, f.value)
		}
	}
	if 0 < c.AckTimeout && c.AckTimeout < timeoutMin {
		return fmt.Errorf("server: NamespaceConfig.AckTimeout = %v: at least 1ms is needed", c.AckTimeout)
	}
	if least := r.srv.cfg.MaxPayload + messageOverhead; c.Inbox.MaxBytes > 0 && c.Inbox.MaxBytes < least {
		return fmt.Errorf("server: NamespaceConfig.Inbox.MaxBytes = %d is too small for MaxPayload = %d: no such message could be handled",
			c.Inbox.MaxBytes, r.srv.cfg.MaxPayload)
	}
	if c.EchoUnhandled != nil {
		c.EchoUnhandled = new(*c.EchoUnhandled)
	}
	r.add(&edit{Tag: &c, Apply: func(h *hooks) { h.settings = c.over(h.settings) }})
	return nil
}

// over returns the settings with those of c on top.
func (c *NamespaceConfig) over(old *settings) *settings {
	s := *old
	for _, f := range []struct {
		field *int
		value int
	}{
		{&s.maxRooms, c.MaxRooms}, {&s.maxPendingAcks, c.MaxPendingAcks},
		{&s.inbox.Jobs, c.Inbox.MaxEvents}, {&s.inbox.Bytes, c.Inbox.MaxBytes},
	} {
		if f.value > 0 {
			*f.field = f.value
		}
	}
	if c.AckTimeout > 0 {
		s.ackTimeout = c.AckTimeout
	}
	if c.EchoUnhandled != nil {
		s.echo = *c.EchoUnhandled
	}
	return &s
}

// settings returns the settings of the socket's namespace.
func (s *Socket) settings() *settings { return s.ns.hooks.Load().settings }
