package nats

import (
	"crypto/sha256"
	"encoding/base64"

	"github.com/seed58c87869/siren/room/cluster"
)

// tokenMax is the length of the longest name that is its own token, in bytes; the token of a longer one is a hash. The
// broker ends connections that send a line of more than 4096 bytes, and a client may choose names.
const tokenMax = 256

// token returns a name as a token of a subject: two names have the same only if they are the same.
func token(name string) string {
	if len(name) <= tokenMax {
		return base64.RawURLEncoding.EncodeToString([]byte(name))
	}
	sum := sha256.Sum256([]byte(name))
	return "~" + base64.RawURLEncoding.EncodeToString(sum[:])
}

// subjects are the subjects of a namespace. Immutable.
type subjects struct {
	// all is for all nodes, own for this one; node begins the subjects of nodes, room those of rooms.
	all, own, node, room string
}

// nodesToken stands where the token of a namespace would: it is the one of no name.
const nodesToken = "-"

func newSubjects(prefix, token, self string) subjects {
	base := "sio." + prefix + "." + token + "."
	return subjects{all: base + "all", own: base + "node." + self, node: base + "node.", room: base + "room."}
}

// idLength is the length of a socket's id. A name of that length is taken for one, unless sockets are subscribed too.
const idLength = 20

// roomsMax is how many subjects of rooms are remembered.
const roomsMax = 4096

// names remembers the subjects that messages are sent to. It belongs to the sender.
type names struct {
	prefix, self string // immutable, as private is
	private      bool   // sockets have subjects of rooms, too
	spaces       map[string]subjects
	rooms        map[[2]string]string // by namespace and room
}

// of returns the subject of a message to all nodes or, if node is not empty, of an answer to one.
func (n *names) of(m *cluster.Message, node string) string {
	to := n.namespace(m.Namespace)
	switch {
	case node != "":
		return to.node + token(node)
	case m.Kind == cluster.Broadcast && m.Request == "" && len(m.Target.Rooms) == 1 && len(m.Target.Users) == 0 &&
		hasSubject(m.Target.Rooms[0], n.private):
		return n.room(m.Namespace, m.Target.Rooms[0], to.room)
	}
	return to.all
}

// hasSubject reports whether a room has a subject of its own.
func hasSubject(room string, private bool) bool { return private || len(room) != idLength }

func (n *names) namespace(name string) subjects {
	to, ok := n.spaces[name]
	if !ok {
		if len(n.spaces) >= roomsMax {
			clear(n.spaces)
		}
		to = newSubjects(n.prefix, token(name), n.self)
		n.spaces[name] = to
	}
	return to
}

func (n *names) room(namespace, room, begin string) string {
	key := [2]string{namespace, room}
	to, ok := n.rooms[key]
	if !ok {
		if len(n.rooms) >= roomsMax {
			clear(n.rooms)
		}
		to = begin + token(room)
		n.rooms[key] = to
	}
	return to
}
