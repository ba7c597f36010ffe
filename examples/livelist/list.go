package main

import (
	"context"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/seed58c87869/siren/server"
)

const (
	itemsMax = 100 // in the list
	titleMax = 80  // characters
	viewers  = "viewers"
)

// item is one line of the list.
type item struct {
	ID    int    `json:"id"`
	Title string `json:"title"`
}

// state is what clients show.
type state struct {
	Items []item `json:"items"`
}

// list is the list that all clients share. Safe for concurrent use.
//
// The lock is held while the state is sent, so that clients get the states in their order. Emit does not wait for the
// network, so it takes hardly any time.
type list struct {
	ns *server.Namespace

	mu    sync.Mutex
	items []item
	last  int // id
}

// serveList registers the list with the namespace "/".
func serveList(srv *server.Server) error {
	l := &list{ns: srv.Of("/"), items: []item{}}
	return server.Register(srv.Of("/"), func() *viewer { return &viewer{l} })
}

// viewer is one client. Its methods handle the client's events, and each answers with an acknowledgement.
type viewer struct{ list *list }

// Connect sends the state and subscribes to later ones. It runs each time the client connects, so a client that was
// away gets the present state.
func (v *viewer) Connect(_ context.Context, s *server.Socket, _ server.Raw) error {
	l := v.list
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := s.Join(viewers); err != nil {
		return err
	}
	return s.Emit("state", state{l.items})
}

// EventCreate handles "create".
func (v *viewer) EventCreate(_ context.Context, _ *server.Socket, title string) (item, error) {
	title = strings.TrimSpace(title)
	if title == "" || utf8.RuneCountInString(title) > titleMax {
		return item{}, server.Refuse("a title has 1 to 80 characters", nil)
	}
	l := v.list
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.items) == itemsMax {
		return item{}, server.Refuse("the list is full", nil)
	}
	l.last++
	made := item{l.last, title}
	l.items = append(l.items, made)
	return made, l.tell()
}

// EventDelete handles "delete".
func (v *viewer) EventDelete(_ context.Context, _ *server.Socket, id int) error {
	l := v.list
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.IndexFunc(l.items, func(it item) bool { return it.ID == id })
	if i < 0 {
		return server.Refuse("somebody else has deleted it", nil)
	}
	l.items = slices.Delete(l.items, i, i+1)
	return l.tell()
}

// tell sends the state to all clients. It is called with the lock held.
func (l *list) tell() error {
	_, err := l.ns.To(viewers).Emit("state", state{l.items})
	return err
}
