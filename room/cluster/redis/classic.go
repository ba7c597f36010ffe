package redis

import (
	"strings"

	"github.com/seed58c87869/siren/codec/msgpack"
	"github.com/seed58c87869/siren/room/cluster"
)

// requestType is the type of a request or response in the classic format. Immutable.
type requestType int

// The types, as in the reference.
const (
	typeSockets requestType = iota
	typeAllRooms
	typeJoin
	typeLeave
	typeDisconnect
	typeFetch
	typeServerSideEmit
	typeBroadcast
	typeClientCount
	typeAck
)

// A question of another node that the server does not know is asked as FetchSockets, and its answer is made from the
// sockets. The id of the request tells, in front of its own text.
const (
	askedSockets = "\x00sockets:"
	askedRooms   = "\x00rooms:"
	askedOwner   = "\x00owner:"
)

// classic is the format of @socket.io/redis-adapter. Immutable.
type classic struct {
	node, prefix string
	oneByOne     bool
	limits       msgpack.Limits
	questions    *questions
}

func newClassic(a *Adapter) *classic {
	return &classic{
		node: a.cfg.Node, prefix: a.cfg.Prefix, oneByOne: a.cfg.Rooms == RoomsOneByOne, limits: a.limits(), questions: a.questions,
	}
}

// attachmentsMax is the highest number of binary values in one message. Their sizes are bounded by the message's.
const attachmentsMax = 1 << 16

// limits are those of what is decoded.
func (a *Adapter) limits() msgpack.Limits {
	return msgpack.Limits{Attachments: attachmentsMax, AttachmentBytes: a.cfg.MaxMessage}
}

func (c *classic) broadcasts(ns string) string { return c.prefix + "#" + ns + "#" }
func (c *classic) requests(ns string) string   { return c.prefix + "-request#" + ns + "#" }
func (c *classic) responses(ns string) string  { return c.prefix + "-response#" + ns + "#" }

// escapePattern protects the characters that have a meaning in patterns of PSUBSCRIBE.
var escapePattern = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`)

// idLength is the length of a socket's id. The channels of rooms with such names are subscribed with one pattern.
const idLength = 20

// channels implements format.
func (c *classic) channels(sp *space) map[channel]route {
	all := c.broadcasts(sp.name)
	out := map[channel]route{
		{kindChannel, c.requests(sp.name)}:                 {sp, roleRequest},
		{kindChannel, c.responses(sp.name)}:                {sp, roleResponse},
		{kindChannel, c.responses(sp.name) + c.node + "#"}: {sp, roleResponse},
		{kindPattern, escapePattern.Replace(all) + "*"}:    {sp, roleBroadcast},
	}
	if c.oneByOne {
		delete(out, channel{kindPattern, escapePattern.Replace(all) + "*"})
		out[channel{kindChannel, all}] = route{sp, roleBroadcast}
		out[channel{kindPattern, escapePattern.Replace(all) + strings.Repeat("?", idLength) + "#"}] = route{sp, roleBroadcast}
	}
	return out
}

// room implements format.
func (c *classic) room(sp *space, room string) (channel, route, bool) {
	if !c.oneByOne || len(room) == idLength {
		return channel{}, route{}, false
	}
	return channel{kindChannel, c.broadcasts(sp.name) + room + "#"}, route{sp, roleBroadcast}, true
}

// counted implements format.
func (c *classic) counted(ns string) channel { return channel{kindChannel, c.requests(ns)} }

// check implements format.
func (c *classic) check(m *cluster.Message) (skip bool, err error) { return modelled(m) }

// keeps implements format: who is not subscribed gets nothing later.
func (c *classic) keeps(*cluster.Message) bool { return false }
