package adminui

import (
	"context"

	"github.com/seed58c87869/siren/server"
)

// features are the words for what the UI may do, in the reference's order.
func (o *Options) features() []string {
	var out []string
	if !o.ReadOnly {
		out = append(out, "EMIT", "JOIN", "LEAVE", "DISCONNECT", "MJOIN", "MLEAVE", "MDISCONNECT")
	}
	out = append(out, "AGGREGATED_EVENTS")
	if o.Mode == Development {
		out = append(out, "ALL_EVENTS")
	}
	return out
}

// obey registers the UI's commands, unless it may only look. They are what a person does; each leaves a line in the
// log.
func (u *UI) obey() {
	if u.o.ReadOnly {
		return
	}
	u.command("emit", 3, func(m *server.Message) error {
		event, ok := text(m.Arg(2))
		to, found := u.selected(m, 1)
		if !ok || !found {
			return errCommand
		}
		_, err := to.Emit(event, m.Args()[3:]...)
		return err
	})
	u.command("join", 2, func(m *server.Message) error {
		room, ok := text(m.Arg(1))
		to, found := u.selected(m, 2)
		if !ok || !found {
			return errCommand
		}
		return to.SocketsJoin(room)
	})
	u.command("leave", 2, func(m *server.Message) error {
		room, ok := text(m.Arg(1))
		to, found := u.selected(m, 2)
		if !ok || !found {
			return errCommand
		}
		return to.SocketsLeave(room)
	})
	u.command("_disconnect", 2, func(m *server.Message) error {
		var closing bool
		err := m.Arg(1).Unmarshal(&closing)
		to, found := u.selected(m, 2)
		if err != nil || !found {
			return errCommand
		}
		return to.DisconnectSockets(closing)
	})
}

// errCommand is a command that is malformed, or for a namespace that does not exist.
var errCommand = server.Refuse("invalid command", nil)

// command registers a command with at least so many arguments.
func (u *UI) command(name string, args int, run func(m *server.Message) error) {
	u.registered(u.ns.On(name, func(_ context.Context, m *server.Message) {
		err := errCommand
		if m.Len() >= args {
			err = run(m)
		}
		nsp, _ := text(m.Arg(0))
		attrs := []any{"command", name, "ns", nsp, "sid", m.Socket().ID(), "addr", m.Socket().Handshake().Address()}
		if err != nil {
			u.o.Logger.Warn("Admin UI command failed", append(attrs, "err", err)...)
			return
		}
		u.o.Logger.Info("Admin UI command", attrs...)
	}))
}

// selected returns the sockets that a command is for: those of the namespace in argument 0, and of the room in argument
// filter. Without a filter they are all. A command makes no namespace.
func (u *UI) selected(m *server.Message, filter int) (to server.Operator, ok bool) {
	name, ok := text(m.Arg(0))
	if !ok {
		return to, false
	}
	ns := u.srv.Lookup(name)
	if ns == nil {
		return to, false
	}
	to = ns.Except() // nobody: all are selected
	raw := m.Arg(filter)
	if m.Len() <= filter || string(raw.JSON) == "null" {
		return to, true
	}
	room, ok := text(raw)
	return to.In(room), ok
}

// text returns a value that is a text, and not an empty one.
func text(raw server.Raw) (s string, ok bool) {
	if len(raw.JSON) == 0 || raw.JSON[0] != '"' || raw.Unmarshal(&s) != nil {
		return "", false
	}
	return s, s != ""
}
