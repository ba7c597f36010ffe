package server

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/seed58c87869/siren/room/cluster"
	"github.com/seed58c87869/siren/server/internal/shown"
)

// FetchSockets returns the sockets that the operator selects, including those of other nodes, sorted by id. They are
// selected on the event loops, so earlier joins of the same goroutine have taken effect. It waits for the other nodes
// until the Operator's time-out, or ctx's, or Config.RequestTimeout. If some nodes do not answer, it returns the
// sockets of the others with a *MissingError that names the missing ones. Other errors: ErrQueueFull and ErrClosed (no
// sockets), ErrCluster (this node's sockets). With Local it does not ask other nodes. On an event loop it fails with
// ErrOnLoop.
func (o Operator) FetchSockets(ctx context.Context) ([]RemoteSocket, error) {
	limit := o.requestLimit(ctx)
	here, err := o.census(ctx, limit, true)
	if err != nil {
		return nil, err
	}
	out := make([]RemoteSocket, 0, len(here.Members()))
	for _, m := range here.Members() {
		s := m.Owner().(*Socket)
		out = append(out, RemoteSocket{ns: o.ns, local: s, details: s.details()})
	}
	if o.elsewhere() {
		var answers []*cluster.Message
		answers, err = o.ns.srv.node.ask(ctx, o.ns, limit, &cluster.Message{Kind: cluster.FetchSockets, Target: o.clusterTarget(0)})
		for _, m := range answers {
			for i := range m.Sockets {
				out = append(out, RemoteSocket{ns: o.ns, node: m.From, details: &m.Sockets[i]})
			}
		}
	}
	slices.SortFunc(out, func(a, b RemoteSocket) int { return strings.Compare(a.ID(), b.ID()) })
	return out, err
}

// Count returns the number of sockets that FetchSockets would return, without fetching them. It waits and fails in the
// same way; the number is then of the nodes that answered.
func (o Operator) Count(ctx context.Context) (int, error) {
	limit := o.requestLimit(ctx)
	here, err := o.census(ctx, limit, false)
	if err != nil {
		return 0, err
	}
	n := here.Count()
	if !o.elsewhere() {
		return n, nil
	}
	answers, err := o.ns.srv.node.ask(ctx, o.ns, limit, &cluster.Message{Kind: cluster.CountSockets, Target: o.clusterTarget(0)})
	for _, m := range answers {
		n += max(m.Count, 0)
	}
	return n, err
}

// details returns what other nodes may know of a socket. It takes a while, and is not for event loops.
func (s *Socket) details() *cluster.Socket {
	h := s.Handshake()
	return &cluster.Socket{
		ID: s.id, Rooms: s.Rooms(), User: s.User(), Data: s.Data(), Handshake: cluster.Handshake(h.Data(h.RawAuth())),
	}
}

// RemoteSocket is a snapshot of a socket of any node of the cluster. Immutable, safe for concurrent use. Its methods
// act by its id on the node that has it, and do nothing if the socket has ended.
type RemoteSocket struct {
	ns      *Namespace
	node    string
	local   *Socket
	details *cluster.Socket
}

// MarshalJSON returns an object with the socket's id, handshake, rooms and data, in the reference's form, and
// with its user, if it has one.
func (r RemoteSocket) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		ID        string            `json:"id"`
		Handshake cluster.Handshake `json:"handshake"`
		Rooms     []string          `json:"rooms"`
		Data      Raw               `json:"data"`
		User      string            `json:"user,omitempty"`
	}{r.details.ID, r.details.Handshake, r.details.Rooms, r.details.Data, r.details.User})
}

// ID returns the socket's id.
func (r RemoteSocket) ID() string { return r.details.ID }

// Node returns the id of the socket's node; it is empty for a socket of this node, and if it is unknown.
func (r RemoteSocket) Node() string { return r.node }

// Local returns the socket itself if it is on this node, or nil.
func (r RemoteSocket) Local() *Socket { return r.local }

// Rooms returns the socket's rooms at the time, including its own id. The slice must not be changed.
func (r RemoteSocket) Rooms() []string { return r.details.Rooms }

// InRoom reports whether the room is one of Rooms.
func (r RemoteSocket) InRoom(name string) bool { return slices.Contains(r.details.Rooms, name) }

// User returns the socket's user, see Socket.SetUser; it is empty if the socket has none, and if it is unknown.
func (r RemoteSocket) User() string { return r.details.User }

// Handshake returns the handshake of the socket's client. It must not be changed.
func (r RemoteSocket) Handshake() cluster.Handshake { return r.details.Handshake }

// Data returns a JSON object with the values of shared keys by their names, see Shared; no value when there are none.
// Nodes that run the reference server send their socket.data.
func (r RemoteSocket) Data() Raw { return r.details.Data }

// Operator selects only this socket, wherever it is.
func (r RemoteSocket) Operator() Operator { return r.ns.To(r.details.ID) }

// Emit sends an event to it. Errors are those of Operator.Emit.
func (r RemoteSocket) Emit(event string, args ...any) error {
	_, err := r.Operator().Emit(event, args...)
	return err
}

// Join puts it into rooms. Errors are those of Operator.SocketsJoin.
func (r RemoteSocket) Join(rooms ...string) error { return r.Operator().SocketsJoin(rooms...) }

// Leave takes it out of rooms. Errors are those of Operator.SocketsJoin.
func (r RemoteSocket) Leave(rooms ...string) error { return r.Operator().SocketsLeave(rooms...) }

// Disconnect disconnects it; see Operator.DisconnectSockets.
func (r RemoteSocket) Disconnect(closeConn bool) error {
	return r.Operator().DisconnectSockets(closeConn)
}

// Data returns a JSON object with the values of the socket's shared keys by their names, see Shared, or the value of
// the one without a name; no value when there are none. A value that cannot be encoded is left out, and OnError is
// told, for the event "data".
func (s *Socket) Data() Raw {
	data, err := shown.Data(s.values(), func(v any) (data Raw, err error) {
		err = s.guard("data", func() (err error) { data, err = s.ns.srv.enc.ArgsData([]any{v}); return err })
		return data, err
	})
	if err != nil {
		s.ns.srv.sio.Warn("shared data cannot be encoded", append(s.about("data"), "err", err)...)
	}
	return data
}
