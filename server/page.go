package server

import (
	"cmp"
	"container/heap"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/seed58c87869/siren/room"
)

// ErrPosition: the position of a page is none that a page has returned.
var ErrPosition = errors.New("siren: invalid position of a page")

// pageWalk is the most members of rooms that the event loops look through for a page. A loop takes about 100 ns for each.
// Above it all sockets of the namespace are looked at off the loops, which is more work and holds nobody up.
const pageWalk = 16 << 10

// Page returns at most limit sockets of this node that the operator selects, from a position on, and the position of the
// next page; "" is the first position, and the last page returns it. Positions are good as long as the process lives: a
// socket that is selected all the while is on exactly one of the pages, one that comes or goes meanwhile on one at most.
// The order means nothing. No page holds up an event loop for long, and none costs memory in between.
// Sockets whose connect handlers still run are included. Errors: ErrPosition; those of Count when the event loops have to
// look.
func (o Operator) Page(ctx context.Context, position string, limit int) (page []*Socket, next string, err error) {
	m := o.ns.sockets
	begin, err := pageStart(position, int(m.Size()), m.StripeIndex)
	if err != nil {
		return nil, "", err
	}
	var t room.Target
	if limit <= 0 || !o.resolve(&t) {
		return nil, "", nil
	}
	c := newCandidates(begin, limit, func(s *Socket) pageKey { return pageKey{m.StripeIndex(s.id), s.id} })
	f := newSocketFilter(o, &t)
	switch {
	case len(t.Rooms) == 0:
		for member := range f.members {
			c.offer(member.Owner().(*Socket), f.selects)
		}
	case o.walkable(&t):
		here, err := o.Local().census(ctx, o.requestLimit(ctx), true)
		if err != nil {
			return nil, "", err
		}
		for _, s := range here.sockets {
			c.offer(s, func(*Socket) bool { return true })
		}
	default:
		for i := begin.stripe; i < int(m.Size()) && !c.full(); i++ {
			for _, s := range m.InStripe(i) {
				c.offer(s, f.selects)
			}
		}
	}
	page, next = c.page()
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

// RoomPage returns at most limit rooms of this node whose names begin with prefix, from a position on; see Operator.Page
// for positions. Sockets' own ids are no rooms here. Errors: ErrPosition.
func (ns *Namespace) RoomPage(prefix, position string, limit int) (page []RoomInfo, next string, err error) {
	d := ns.rooms
	begin, err := pageStart(position, d.Stripes(), d.StripeOf)
	if err != nil || limit <= 0 {
		return nil, "", err
	}
	c := newCandidates(begin, limit, func(r *room.Room) pageKey { return pageKey{d.StripeOf(r.Name()), r.Name()} })
	var rooms []*room.Room
	for i := begin.stripe; i < d.Stripes() && !c.full(); i++ {
		rooms = d.InStripe(i, rooms[:0])
		for _, r := range rooms {
			c.offer(r, func(r *room.Room) bool { return strings.HasPrefix(r.Name(), prefix) && r.Count() > 0 })
		}
	}
	found, next := c.page()
	for _, r := range found {
		page = append(page, RoomInfo{r.Name(), r.Count()})
	}
	return page, next, nil
}

// TopRooms returns the n rooms of this node with the most sockets, the largest first. It looks at all rooms: 20 ms for a
// million of them, on the caller's goroutine.
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

// RoomTotal is the number of rooms of this node. Sockets' own ids are no rooms here.
func (ns *Namespace) RoomTotal() int { return ns.rooms.Len() }

// pageKey orders what is paged: by the part of the map that it is in, then by name. It never changes.
type pageKey struct {
	stripe int
	name   string
}

// pageBegin is where a page begins: behind a key, or with the first of all.
type pageBegin struct {
	pageKey
	behind bool
}

func (k pageKey) less(o pageKey) bool {
	return k.stripe < o.stripe || k.stripe == o.stripe && k.name < o.name
}

// position is the text of the key.
func (k pageKey) position() string { return strconv.Itoa(k.stripe) + "." + k.name }

// pageStart parses a position: a page begins behind it. stripeOf holds it to what a page has returned.
func pageStart(position string, stripes int, stripeOf func(name string) int) (pageBegin, error) {
	if position == "" {
		return pageBegin{}, nil
	}
	number, name, ok := strings.Cut(position, ".")
	i, err := strconv.Atoi(number)
	if !ok || err != nil || i < 0 || i >= stripes || stripeOf(name) != i {
		return pageBegin{}, ErrPosition
	}
	return pageBegin{pageKey{i, name}, true}, nil
}

// candidates are what may be on a page: of all that is offered the limit first ones, and one more, which tells whether
// there is another page. It is a heap with the last one on top.
type candidates[T any] struct {
	begin pageBegin
	limit int
	key   func(T) pageKey
	heap  pageHeap[T]
}

type pageItem[T any] struct {
	key  pageKey
	item T
}

func newCandidates[T any](begin pageBegin, limit int, key func(T) pageKey) *candidates[T] {
	return &candidates[T]{begin: begin, limit: limit, key: key}
}

// offer takes an item that belongs on the page if suits agrees, which is asked last because it costs the most.
func (c *candidates[T]) offer(item T, suits func(T) bool) {
	k := c.key(item)
	if c.begin.behind && !c.begin.less(k) {
		return
	}
	over := c.full() && len(c.heap) > 0
	if over && !k.less(c.heap[0].key) || !suits(item) {
		return
	}
	if over {
		c.heap[0] = pageItem[T]{k, item}
		heap.Fix(&c.heap, 0)
		return
	}
	heap.Push(&c.heap, pageItem[T]{k, item})
}

// full reports whether the page is complete, unless smaller keys are offered.
func (c *candidates[T]) full() bool { return len(c.heap) > c.limit }

// page returns the items in order, each once, and the position behind them; "" when there are no more.
func (c *candidates[T]) page() (items []T, next string) {
	slices.SortFunc(c.heap, func(a, b pageItem[T]) int {
		return cmp.Or(cmp.Compare(a.key.stripe, b.key.stripe), strings.Compare(a.key.name, b.key.name))
	})
	for i := range c.heap {
		if len(items) == c.limit {
			return items, c.heap[i-1].key.position()
		}
		items = append(items, c.heap[i].item)
	}
	return items, ""
}

// pageHeap implements heap.Interface.
type pageHeap[T any] []pageItem[T]

func (h pageHeap[T]) Len() int           { return len(h) }
func (h pageHeap[T]) Less(i, j int) bool { return h[j].key.less(h[i].key) }
func (h pageHeap[T]) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *pageHeap[T]) Push(x any)        { *h = append(*h, x.(pageItem[T])) }
func (h *pageHeap[T]) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}
