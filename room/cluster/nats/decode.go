package nats

import (
	"math"
	"time"

	"github.com/seed58c87869/siren/codec/sio"
	"github.com/seed58c87869/siren/room/cluster"
)

// sender remembers texts of the message before, which most often repeat. It belongs to one goroutine.
type sender struct{ node string }

// timeoutMax bounds the time-outs that other nodes ask for.
const timeoutMax = 24 * time.Hour

// readMessage reads what appendMessage has written, without its first two bytes.
func readMessage(b []byte, namespace string, last *sender) (*cluster.Message, error) {
	r := reader{b: b}
	m := &cluster.Message{Kind: cluster.Kind(r.byte()), Namespace: namespace}
	m.From, m.Request = r.textLike(last.node), r.text()
	parts := r.number()
	if parts >= partsEnd {
		return nil, errFormat
	}
	m.Target.Volatile, m.Target.NoCompress = parts&hasVolatile != 0, parts&hasNoCompress != 0
	m.Close = parts&hasClose != 0
	if parts&hasTimeout != 0 {
		m.Target.Timeout = time.Duration(min(r.number(), uint64(timeoutMax/time.Millisecond))) * time.Millisecond
	}
	if parts&hasCount != 0 {
		if n := r.number(); n <= math.MaxInt32 {
			m.Count = int(n)
		} else {
			r.fail()
		}
	}
	for _, list := range []struct {
		part  uint64
		names *[]string
	}{
		{hasTargetRooms, &m.Target.Rooms}, {hasExcept, &m.Target.Except}, {hasUsers, &m.Target.Users}, {hasRooms, &m.Rooms},
	} {
		if parts&list.part != 0 {
			*list.names = r.texts()
		}
	}
	if parts&hasData != 0 {
		m.Data.JSON = r.bytes()
	}
	if parts&hasAttachments != 0 {
		m.Data.Attachments = r.attachments()
	}
	if parts&hasSockets != 0 {
		m.Sockets = r.sockets()
	}
	if err := r.end(); err != nil {
		return nil, err
	}
	last.node = m.From
	return m, check(m)
}

// check returns an error for a message that lacks what its kind needs.
func check(m *cluster.Message) error {
	asks, answers := false, false
	switch m.Kind {
	case cluster.Broadcast, cluster.ServerSideEmit:
		if !isArray(m.Data.JSON) || m.Request != "" && m.From == "" {
			return errFormat
		}
	case cluster.SocketsJoin, cluster.SocketsLeave:
		if len(m.Rooms) == 0 {
			return errFormat
		}
	case cluster.DisconnectSockets:
	case cluster.FetchSockets, cluster.CountSockets:
		asks = true
	case cluster.BroadcastAck, cluster.ServerSideResponse:
		if answers = true; !isArray(m.Data.JSON) {
			return errFormat
		}
	case cluster.FetchSocketsResponse, cluster.ClientCount, cluster.CountResponse, cluster.Refused:
		answers = true
	case cluster.Abandoned:
		answers = true
	default: // news of nodes are not messages
		return errFormat
	}
	if asks && (m.Request == "" || m.From == "") || answers && (m.Request == "" || m.From == "") {
		return errFormat
	}
	return nil
}

// isArray reports whether JSON seems to be an array. The server reads all of it.
func isArray(b []byte) bool { return len(b) >= 2 && b[0] == '[' && b[len(b)-1] == ']' }

func (r *reader) attachments() [][]byte {
	n := r.count(1, namesMax)
	if n == 0 {
		return nil
	}
	out := make([][]byte, n)
	for i := range out {
		out[i] = r.bytes()
	}
	return out
}

// socketMin is the least size of a socket's description: six lengths.
const socketMin = 6

func (r *reader) sockets() []cluster.Socket {
	n := r.count(socketMin, socketsMax)
	if n == 0 {
		return nil
	}
	out := make([]cluster.Socket, n)
	for i := range out {
		s := &out[i]
		s.ID, s.Rooms, s.User = r.text(), r.texts(), r.text()
		if s.Handshake.UnmarshalJSON(r.bytes()) != nil {
			r.fail()
		}
		s.Data = sio.Raw{JSON: r.bytes(), Attachments: r.attachments()}
		if len(s.Data.JSON) > 0 && !sio.Valid(s.Data.JSON, sio.MaxDepth) {
			r.fail()
		}
		if r.failed {
			return nil
		}
	}
	return out
}
