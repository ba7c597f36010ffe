package server

import (
	"github.com/seed58c87869/siren/room"
	"github.com/seed58c87869/siren/server/internal/packets"
	"github.com/seed58c87869/siren/session"
)

// outgoing is a broadcast's event for the listeners of outgoing events. Immutable.
type outgoing struct {
	event string
	args  []any
	size  int
}

// newOutgoing is nil for data that is no event: a listener that was added in this moment may find none.
func newOutgoing(data Raw) *outgoing {
	event, args, err := packets.ParseEvent(data)
	if err != nil {
		return nil
	}
	o := &outgoing{event: event, args: args.All(), size: len(data.JSON) + messageOverhead}
	for _, a := range data.Attachments {
		o.size += len(a)
	}
	return o
}

// tell has the listeners called for each socket, off the loop, among the socket's handlers. Loop-only.
func (o *outgoing) tell(selected []*room.Member) {
	all := make([]heard, len(selected))
	session.PutAll(len(selected), o.size, func(i int) (*session.Inbox, session.Job, *session.InboxLimits) {
		s := selected[i].Owner().(*Socket)
		all[i] = heard{s, o}
		return &s.inbox, &all[i], &s.settings().inbox
	}, func(i int) { all[i].s.ns.srv.stats.unheard.Add(1) })
}

// heard is a broadcast as the listeners of one socket hear of it.
type heard struct {
	s *Socket
	o *outgoing
}

// Do implements session.Job.
func (h *heard) Do() { h.s.listenOut(h.o.event, append([]any(nil), h.o.args...)) }
