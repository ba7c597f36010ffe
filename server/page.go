package server

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/seed58c87869/siren/room"
	"github.com/seed58c87869/siren/server/internal/paging"
)

// ErrPosition means that no page has returned the position.
var ErrPosition = paging.ErrPosition

// pageWalk is the most members of rooms that the event loops look through for a page. A loop takes about 100 ns for
// each. Above it all sockets of the namespace are looked at off the loops, which is more work and holds nobody up.
const pageWalk = 16 << 10

// Page returns at most limit sockets of this node that the operator selects, from a position on, and the position of
// the next page. "" is the first position, and the last page returns it. Positions are valid as long as the process
// lives: a socket that is selected all the time is on exactly one of the pages, one that comes or goes meanwhile on at
// most one. The order has no meaning. No page delays an event loop for long, and nothing is kept in memory between
// pages. Sockets whose connect handlers still run are included. Errors: ErrPosition; those of Count if the event loops
// have to look.
func (o Operator) Page(ctx context.Context, position string, limit int) (page []*Socket, next string, err error) {
	m := o.ns.sockets
	begin, err := paging.Start(position, int(m.Size()), m.StripeIndex)
	if err != nil {
		return nil, "", err
	}
	var t room.Target
	if limit <= 0 || !o.resolve(&t) {
		return nil, "", nil
	}
	c := paging.New(begin, limit, func(s *Socket) paging.Key { return paging.Key{Stripe: m.StripeIndex(s.id), Name: s.id} })
	f := newSocketFilter(o, &t)
	switch {
	case len(t.Rooms) == 0:
		for member := range f.members {
			c.Offer(member.Owner().(*Socket), f.selects)
		}
	case o.walkable(&t):
		here, err := o.Local().census(ctx, o.requestLimit(ctx), true)
		if err != nil {
			return nil, "", err
		}
		for _, m := range here.Members() {
			c.Offer(m.Owner().(*Socket), func(*Socket) bool { return true })
		}
	default:
		for i := begin.Stripe; i < int(m.Size()) && !c.Full(); i++ {
			for _, s := range m.InStripe(i) {
				c.Offer(s, f.selects)
			}
		}
	}
	page, next = c.Page()
	return page, next, nil
}

// walkable reports whether the rooms are small enough for the event loops to look through them.
func (o Operator) walkable(t *room.Target) bool {
	n := 0
	for _, r := range t.Rooms {
		if r == o.ns.rooms.Everyone() {
			return false
		}
		n += r.Count()
	}
	return n <= pageWalk
}

// RoomInfo is a room of this node and the number of its sockets, those whose join is under way included. Immutable.
type RoomInfo struct {
	Name    string
	Sockets int
}

// RoomPage returns at most limit rooms of this node whose names begin with prefix, from a position on; see
// Operator.Page for positions. Sockets' own ids are not included. Errors: ErrPosition.
func (ns *Namespace) RoomPage(prefix, position string, limit int) (page []RoomInfo, next string, err error) {
	d := ns.rooms
	begin, err := paging.Start(position, d.Stripes(), d.StripeOf)
	if err != nil || limit <= 0 {
		return nil, "", err
	}
	c := paging.New(begin, limit, func(r *room.Room) paging.Key { return paging.Key{Stripe: d.StripeOf(r.Name()), Name: r.Name()} })
	var rooms []*room.Room
	for i := begin.Stripe; i < d.Stripes() && !c.Full(); i++ {
		rooms = d.InStripe(i, rooms[:0])
		for _, r := range rooms {
			c.Offer(r, func(r *room.Room) bool { return strings.HasPrefix(r.Name(), prefix) && r.Count() > 0 })
		}
	}
	found, next := c.Page()
	for _, r := range found {
		page = append(page, RoomInfo{r.Name(), r.Count()})
	}
	return page, next, nil
}

// TopRooms returns the n rooms of this node with the most sockets, the largest first. It looks at all rooms: 20 ms for
// a million of them, on the caller's goroutine.
func (ns *Namespace) TopRooms(n int) []RoomInfo {
	var top []RoomInfo
	for r := range ns.rooms.All() {
		i := RoomInfo{r.Name(), r.Count()}
		if len(top) >= n && (n <= 0 || i.Sockets <= top[len(top)-1].Sockets) {
			continue
		}
		at, _ := slices.BinarySearchFunc(top, i, func(a, b RoomInfo) int { return cmp.Compare(b.Sockets, a.Sockets) })
		top = slices.Insert(top, at, i)[:min(len(top)+1, n)]
	}
	return top
}

// RoomTotal returns the number of rooms of this node. Sockets' own ids are not included.
func (ns *Namespace) RoomTotal() int { return ns.rooms.Len() }
