package paging

import (
	"cmp"
	"container/heap"
	"errors"
	"slices"
	"strconv"
	"strings"
)

// ErrPosition means that no page has returned the position.
var ErrPosition = errors.New("siren: invalid position of a page")

// Key orders what is paged: by the part of the map that it is in, then by name. It never changes.
type Key struct {
	// Stripe is the part of the map, Name the name.
	Stripe int
	Name   string
}

// Begin says where a page begins: behind a key, or with the first of all.
type Begin struct {
	Key
	behind bool
}

func (k Key) less(o Key) bool {
	return k.Stripe < o.Stripe || k.Stripe == o.Stripe && k.Name < o.Name
}

// position returns the text of the key.
func (k Key) position() string { return strconv.Itoa(k.Stripe) + "." + k.Name }

// Start parses a position: a page begins behind it. It fails unless stripeOf agrees that a page has returned it.
func Start(position string, stripes int, stripeOf func(name string) int) (Begin, error) {
	if position == "" {
		return Begin{}, nil
	}
	number, name, ok := strings.Cut(position, ".")
	i, err := strconv.Atoi(number)
	if !ok || err != nil || i < 0 || i >= stripes || stripeOf(name) != i {
		return Begin{}, ErrPosition
	}
	return Begin{Key{i, name}, true}, nil
}

// Candidates are what may be on a page: of all that is offered the limit first ones, and one more, which tells whether
// there is another page. It is a heap with the last one on top.
type Candidates[T any] struct {
	begin Begin
	limit int
	key   func(T) Key
	heap  pageHeap[T]
}

type pageItem[T any] struct {
	key  Key
	item T
}

func New[T any](begin Begin, limit int, key func(T) Key) *Candidates[T] {
	return &Candidates[T]{begin: begin, limit: limit, key: key}
}

// Offer takes an item that belongs on the page if suits agrees, which is asked last because it costs the most.
func (c *Candidates[T]) Offer(item T, suits func(T) bool) {
	k := c.key(item)
	if c.begin.behind && !c.begin.less(k) {
		return
	}
	over := c.Full() && len(c.heap) > 0
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

// Full reports whether the page is complete, unless smaller keys are offered.
func (c *Candidates[T]) Full() bool { return len(c.heap) > c.limit }

// Page returns the items in order, each once, and the position behind them; "" when there are no more.
func (c *Candidates[T]) Page() (items []T, next string) {
	slices.SortFunc(c.heap, func(a, b pageItem[T]) int {
		return cmp.Or(cmp.Compare(a.key.Stripe, b.key.Stripe), strings.Compare(a.key.Name, b.key.Name))
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
