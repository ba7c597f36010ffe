package api

import (
	"context"
	"errors"
	"time"

	"github.com/seed58c87869/siren/cmd/siren/node/problem"
	"github.com/seed58c87869/siren/server"
)

// counted carries out something on the selected sockets and answers how many they were. When the event loops are behind it
// will be done later, and the number is of those so far.
func (a *API) counted(x *exchange, do func(o server.Operator) (int, error)) error {
	ns, o, err := a.target(x)
	if err != nil {
		return err
	}
	if ns != nil {
		if x.count, err = do(o); err != nil && !errors.Is(err, server.ErrTimeout) {
			return err
		}
	}
	x.out = append(appendInt(append(x.out, `{"count":`...), x.count), '}')
	return nil
}

// join is the call join.
func (a *API) join(x *exchange) error {
	return a.counted(x, func(o server.Operator) (int, error) { return o.SocketsJoinCounted(x.ctx, x.to...) })
}

// leave is the call leave.
func (a *API) leave(x *exchange) error {
	return a.counted(x, func(o server.Operator) (int, error) { return o.SocketsLeaveCounted(x.ctx, x.to...) })
}

// disconnect is the call disconnect.
func (a *API) disconnect(x *exchange) error {
	return a.counted(x, func(o server.Operator) (int, error) { return o.DisconnectSocketsCounted(x.ctx, x.close) })
}

// count is the call count.
func (a *API) count(x *exchange) error {
	ns, o, err := a.target(x)
	if err != nil {
		return err
	}
	if ns != nil {
		if x.count, err = o.Count(x.ctx); err != nil {
			return err
		}
	}
	x.out = append(appendInt(append(x.out, `{"sockets":`...), x.count), '}')
	return nil
}

// pageBegin checks the limit and the cursor of a page and returns its position.
func (a *API) pageBegin(x *exchange) (selection []byte, position string, err error) {
	if x.limit > limitMax {
		return nil, "", problem.Field(problem.BadField, "limit", "it has to be a whole number from 1 to 1000")
	}
	selection = selectionKey(x.call.name, x.request)
	position, wrong := a.cursors.read(selection, x.cursor, a.cfg.now())
	if wrong != "" {
		return nil, "", problem.Field(problem.BadField, "cursor", wrong)
	}
	return selection, position, nil
}

// pageEnd appends the cursor of the next page.
func (a *API) pageEnd(x *exchange, selection []byte, next string) {
	x.out = append(x.out, `],"cursor":`...)
	x.out = append(appendString(x.out, a.cursors.make(selection, next, a.cfg.now())), '}')
}

// sockets is the call sockets.
func (a *API) sockets(x *exchange) error {
	ns, o, err := a.target(x)
	if err != nil {
		return err
	}
	selection, position, err := a.pageBegin(x)
	if err != nil {
		return err
	}
	var page []*server.Socket
	next := ""
	if ns != nil {
		if page, next, err = o.Page(x.ctx, position, x.limit); err != nil {
			return err
		}
	}
	x.out = append(x.out, `{"sockets":[`...)
	for i, s := range page {
		if i > 0 {
			x.out = append(x.out, ',')
		}
		x.out = a.appendSocket(x.out, s)
	}
	a.pageEnd(x, selection, next)
	return nil
}

// timeFormat is RFC 3339 with milliseconds.
const timeFormat = "2006-01-02T15:04:05.000Z07:00"

// appendSocket appends what is told of a socket.
func (a *API) appendSocket(dst []byte, s *server.Socket) []byte {
	h := s.Handshake()
	dst = appendString(append(dst, `{"id":`...), s.ID())
	dst = appendStrings(append(dst, `,"rooms":`...), s.Rooms()[1:]) // without its own id
	dst = appendString(append(dst, `,"user":`...), s.User())
	dst = appendRaw(append(dst, `,"data":`...), a.cfg.Data(s))
	dst = appendString(append(dst, `,"address":`...), h.Address())
	dst = appendString(append(dst, `,"transport":`...), s.Transport().String())
	dst = append(dst, `,"connected_at":"`...)
	dst = h.Time.UTC().AppendFormat(dst, timeFormat)
	return append(dst, `"}`...)
}

// rooms is the call rooms.
func (a *API) rooms(x *exchange) error {
	ns, _, err := a.target(x)
	if err != nil {
		return err
	}
	selection, position, err := a.pageBegin(x)
	if err != nil {
		return err
	}
	var page []server.RoomInfo
	next := ""
	if ns != nil {
		if page, next, err = ns.RoomPage(x.prefix, position, x.limit); err != nil {
			return err
		}
	}
	x.out = append(x.out, `{"rooms":[`...)
	for i, r := range page {
		if i > 0 {
			x.out = append(x.out, ',')
		}
		x.out = appendString(append(x.out, `{"name":`...), r.Name)
		x.out = append(appendInt(append(x.out, `,"sockets":`...), r.Sockets), '}')
	}
	a.pageEnd(x, selection, next)
	return nil
}

// reload is the call reload.
func (a *API) reload(x *exchange) error {
	done, err := a.cfg.Reload(x.ctx)
	if err != nil {
		return err
	}
	x.count = len(done.Changed)
	x.out = appendStrings(append(x.out, `{"changed":`...), done.Changed)
	x.out = appendStrings(append(x.out, `,"restart":`...), done.Restart)
	x.out = append(appendStrings(append(x.out, `,"overridden":`...), done.Overridden), '}')
	return nil
}

// revokeTime bounds how long revoke waits for the sockets to be disconnected.
const revokeTime = 10 * time.Second

// revoke is the call revoke.
func (a *API) revoke(x *exchange) error {
	before := x.before
	if !x.given.has(fieldBefore) {
		before = a.cfg.now()
	}
	ctx, cancel := context.WithTimeout(x.ctx, revokeTime)
	defer cancel()
	n, err := a.cfg.Revoker.Revoke(ctx, x.user, before)
	if err != nil {
		return err
	}
	x.count = n
	x.out = append(appendInt(append(x.out, `{"count":`...), n), '}')
	return nil
}
