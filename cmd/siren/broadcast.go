package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"unicode"
	"unicode/utf8"

	"github.com/seed58c87869/siren/server"
)

// The limits of what clients of the broadcast node may name.
const (
	nameBytesMax = 128
	roomsMax     = 1000
	// roomsPerCall bounds one join or leave.
	roomsPerCall = 100
)

// countEvent is the node's own event, which clients cannot publish.
const countEvent = "count"

// status is the acknowledgement of join and leave.
type status struct {
	Status string `json:"status"`
}

// published is the acknowledgement of publish.
type published struct {
	Status string `json:"status"`
	// Count is the number of sockets that the event was sent to.
	Count int `json:"count"`
}

// publication is the argument of publish. A missing room is everybody; an
// empty name is a mistake and must not become a message to all.
type publication struct {
	Room  *string    `json:"room"`
	Event string     `json:"event"`
	Data  server.Raw `json:"data"`
}

const statusOK = "ok"

// serveBroadcast makes the namespace a broadcast node. The handlers run on the
// event loop, all of them, so that a client's events keep their order: none
// waits for anything.
func serveBroadcast(ns *server.Namespace) {
	live := &liveCount{publish: func(n int) { _, _ = ns.Emit(countEvent, n) }}
	ns.OnConnect(func(_ context.Context, s *server.Socket) error {
		// A client that is gone already is taken off again by OnDisconnect.
		_ = s.Emit(countEvent, live.add(1))
		return nil
	})
	ns.OnDisconnect(func(*server.Socket, server.Reason) { live.add(-1) })
	server.Reply1(ns, "join", join, server.Inline())
	server.Reply1(ns, "leave", leave, server.Inline())
	server.Reply1(ns, "publish", publish, server.Inline())
}

func join(_ context.Context, s *server.Socket, in server.Raw) (status, error) {
	names, err := roomNames(in)
	if err != nil {
		return status{}, err
	}
	var added []string
	for _, name := range names {
		if !s.InRoom(name) {
			added = append(added, name)
		}
	}
	if err := s.Join(added...); err != nil {
		_ = s.Leave(added...) // all or none
		return status{}, refusal(err)
	}
	return status{statusOK}, nil
}

func leave(_ context.Context, s *server.Socket, in server.Raw) (status, error) {
	names, err := roomNames(in)
	if err != nil {
		return status{}, err
	}
	if err := s.Leave(names...); err != nil {
		return status{}, refusal(err)
	}
	return status{statusOK}, nil
}

// refusal is what the client is told of an error.
func refusal(err error) error {
	switch {
	case errors.Is(err, server.ErrTooManyRooms):
		return server.Refuse(fmt.Sprintf("more than %d rooms", roomsMax), nil)
	case errors.Is(err, server.ErrRoomTaken):
		return server.Refuse("the room is a client's own", nil)
	case errors.Is(err, server.ErrReserved):
		return errReservedEvent
	case errors.Is(err, server.ErrQueueFull):
		return server.Refuse("the server is busy", nil)
	}
	return err
}

func publish(_ context.Context, s *server.Socket, in publication) (published, error) {
	if err := checkName("event", in.Event); err != nil {
		return published{}, err
	}
	if in.Event == countEvent {
		return published{}, errReservedEvent
	}
	ns := s.Namespace()
	to := ns.To()
	if in.Room != nil {
		if err := checkName("room", *in.Room); err != nil {
			return published{}, err
		}
		to = ns.To(*in.Room)
	}
	var args []any
	if len(in.Data.JSON) > 0 {
		args = append(args, in.Data)
	}
	n, err := to.Emit(in.Event, args...)
	if err != nil {
		return published{}, refusal(err)
	}
	return published{statusOK, n}, nil
}

var errReservedEvent = server.Refuse("the event name is reserved", nil)

// roomNames takes a room's name or a list of names.
func roomNames(in server.Raw) ([]string, error) {
	var names []string
	if len(in.JSON) > 0 && in.JSON[0] == '[' {
		if err := json.Unmarshal(in.JSON, &names); err != nil {
			return nil, server.Refuse("the rooms must be a string or a list of strings", nil)
		}
	} else {
		var name string
		if err := json.Unmarshal(in.JSON, &name); err != nil {
			return nil, server.Refuse("the rooms must be a string or a list of strings", nil)
		}
		names = []string{name}
	}
	if len(names) > roomsPerCall {
		return nil, server.Refuse(fmt.Sprintf("more than %d rooms at once", roomsPerCall), nil)
	}
	for _, name := range names {
		if err := checkName("room", name); err != nil {
			return nil, err
		}
	}
	return names, nil
}

// checkName refuses names that no log or page could show.
func checkName(what, name string) error {
	if name == "" || len(name) > nameBytesMax {
		return server.Refuse(fmt.Sprintf("the %s name must have 1 to %d bytes", what, nameBytesMax), nil)
	}
	for i, r := range name {
		if r == utf8.RuneError {
			if _, size := utf8.DecodeRuneInString(name[i:]); size == 1 {
				return server.Refuse(fmt.Sprintf("the %s name is not valid UTF-8", what), nil)
			}
		}
		if unicode.IsControl(r) {
			return server.Refuse(fmt.Sprintf("the %s name has control characters", what), nil)
		}
	}
	return nil
}
