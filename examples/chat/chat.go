package main

import (
	"context"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/seed58c87869/siren/server"
)

// Limits of what clients may send, in characters.
const (
	nameMax = 32
	roomMax = 32
	textMax = 500
)

// These keys hold what the chat stores with a socket: the user's name, and the room it is in.
var (
	userName = server.NewKey[string]("user name")
	roomName = server.NewKey[string]("room")
)

// said is a message as clients get it.
type said struct {
	From string    `json:"from"` // the socket's id
	Name string    `json:"name"`
	Text string    `json:"text"`
	At   time.Time `json:"at"`
}

// typing reports that a user has begun or stopped typing.
type typing struct {
	From string `json:"from"`
	Name string `json:"name"`
	On   bool   `json:"on"`
}

// entered is the answer to "enter".
type entered struct {
	Room   string `json:"room"`
	People int    `json:"people"`
}

// chat is the namespace /chat. Safe for concurrent use.
type chat struct {
	ns *server.Namespace
	// mu guards people, the number of sockets in each room. It is held while the number is sent, so that the latest number
	// arrives last.
	mu     sync.Mutex
	people map[string]int
}

// newChat registers the chat's handlers.
func newChat(srv *server.Server, t *tokens) *chat {
	c := &chat{ns: srv.Of("/chat"), people: map[string]int{}}
	c.ns.Use(func(_ context.Context, s *server.Socket) error {
		var auth struct {
			Token string `json:"token"`
		}
		if err := s.Handshake().Auth(&auth); err != nil {
			return server.Refuse("sign in", nil)
		}
		name, err := t.verify(auth.Token)
		if err != nil {
			return server.Refuse("sign in", nil)
		}
		userName.Set(s, name)
		return nil
	})
	server.Reply1(c.ns, "enter", c.enter)
	server.Reply1(c.ns, "say", c.say)
	server.On1(c.ns, "typing", c.typing, server.Inline()) // it is quick and waits for nothing
	c.ns.OnDisconnect(func(s *server.Socket, _ server.Reason) { _ = c.leave(s) })
	return c
}

// enter moves the socket to a room.
func (c *chat) enter(_ context.Context, s *server.Socket, room string) (entered, error) {
	room = strings.TrimSpace(room)
	if room == "" || utf8.RuneCountInString(room) > roomMax {
		return entered{}, server.Refuse("a room's name has 1 to 32 characters", nil)
	}
	if old, ok := roomName.Get(s); ok && old == room {
		return entered{room, c.count(room, 0)}, nil
	}
	if err := c.leave(s); err != nil {
		return entered{}, err
	}
	if err := s.Join(room); err != nil {
		return entered{}, err
	}
	roomName.Set(s, room)
	return entered{room, c.count(room, 1)}, nil
}

// say sends a message to everybody in the room. The sender gets it too, so that all see the same conversation.
func (c *chat) say(_ context.Context, s *server.Socket, text string) (string, error) {
	room, ok := roomName.Get(s)
	if !ok {
		return "", server.Refuse("enter a room first", nil)
	}
	text = strings.TrimSpace(text)
	if text == "" || utf8.RuneCountInString(text) > textMax {
		return "", server.Refuse("a message has 1 to 500 characters", nil)
	}
	name, _ := userName.Get(s)
	_, err := c.ns.To(room).Emit("said", said{s.ID(), name, text, time.Now().UTC()})
	return "ok", err
}

// typing tells the others. It is volatile, because it is of no use to a client that cannot get it at once.
func (c *chat) typing(_ context.Context, s *server.Socket, on bool) error {
	room, ok := roomName.Get(s)
	if !ok {
		return nil
	}
	name, _ := userName.Get(s)
	_, err := s.To(room).Volatile().Emit("typing", typing{s.ID(), name, on})
	return err
}

// leave takes the socket out of its room. A socket that has ended is in none.
func (c *chat) leave(s *server.Socket) error {
	room, ok := roomName.Get(s)
	if !ok {
		return nil
	}
	if err := s.Leave(room); err != nil {
		return err
	}
	roomName.Delete(s)
	c.count(room, -1)
	return nil
}

// count changes the number of people in a room and sends it to them.
func (c *chat) count(room string, by int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.people[room] + by
	if c.people[room] = n; n == 0 {
		delete(c.people, room)
	}
	_, _ = c.ns.To(room).Emit("people", n) // it fails when the server ends
	return n
}
