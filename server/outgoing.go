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

// newOutgoing returns nil if data is not an event, because a listener may have been added just now.
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

// tell calls the listeners for each socket, off the loop, among the socket's handlers. Loop-only.
func (o *outgoing) tell(selected []*room.Member) {
	all := make([]heard, len(selected))
	session.PutAll(len(selected), o.size, func(i int) (*session.Inbox, session.Job, *session.InboxLimits) {
		s := selected[i].Owner().(*Socket)
		all[i] = heard{s, o}
		return &s.inbox, &all[i], &s.settings().inbox
	}, func(i int) { all[i].s.ns.srv.stats.unheard.Add(1) })
}

// heard is the job that calls the listeners of one socket for a broadcast.
type heard struct {
	s *Socket
	o *outgoing
}

// Do implements session.Job.
func (h *heard) Do() { h.s.listenOut(h.o.event, append([]any(nil), h.o.args...)) }
