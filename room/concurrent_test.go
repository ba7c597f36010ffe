package room

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
)

const (
	raceShards  = 4
	raceStayers = 5 // per shard, in their rooms throughout
	raceRooms   = 6
	raceSteps   = 400 // of each goroutine
)

// fakeLoop is one goroutine with a mailbox, as an event loop is.
type fakeLoop struct {
	shard   *Shard
	mailbox chan func(*Shard)
	done    chan struct{}
}

// world is a namespace on several fake loops.
type world struct {
	t     *testing.T
	dir   *Directory
	loops []*fakeLoop

	messages    atomic.Int32
	made, ended atomic.Int32
}

// client is a socket whose received messages are counted. The counts are
// loop-owned until the loops have ended.
type client struct {
	Member
	got map[int32]int
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, dir: NewDirectory(raceShards)}
	for i := range raceShards {
		l := &fakeLoop{
			shard:   NewShard(i),
			mailbox: make(chan func(*Shard), 64),
			done:    make(chan struct{}),
		}
		go func() {
			defer close(l.done)
			for message := range l.mailbox {
				message(l.shard)
			}
		}()
		w.loops = append(w.loops, l)
	}
	return w
}

// stop waits until the loops have done all that was posted.
func (w *world) stop() {
	for _, l := range w.loops {
		close(l.mailbox)
		<-l.done
	}
}

func (w *world) post(shard int, message func(*Shard)) { w.loops[shard].mailbox <- message }

func (w *world) connect(shard int) *client {
	c := &client{got: make(map[int32]int)}
	c.Init(shard, c)
	everyone := w.dir.Everyone()
	w.dir.Retain(everyone, shard)
	w.post(shard, func(s *Shard) { s.Join(&c.Member, everyone) })
	return c
}

func (w *world) release(r *Room, shard int) {
	if w.dir.Release(r, shard) {
		w.ended.Add(1)
	}
}

func (w *world) join(c *client, name string) *Room {
	shard := c.Shard()
	r, made := w.dir.Acquire(name, shard)
	if made {
		w.made.Add(1)
	}
	w.post(shard, func(s *Shard) {
		if !s.Join(&c.Member, r) {
			w.release(r, shard)
		}
	})
	return r
}

func (w *world) leave(c *client, r *Room) {
	shard := c.Shard()
	w.post(shard, func(s *Shard) {
		if s.Leave(&c.Member, r) {
			w.release(r, shard)
		}
	})
}

func (w *world) disconnect(c *client) {
	shard := c.Shard()
	w.post(shard, func(s *Shard) {
		s.Detach(&c.Member, func(r *Room) { w.release(r, shard) })
	})
}

// emit sends a new message to the target and returns its number.
func (w *world) emit(t *Target) int32 {
	n := w.messages.Add(1)
	for i := range w.loops {
		if t.OnShard(i) {
			w.post(i, func(s *Shard) {
				s.Walk(t, func(m *Member) { m.Owner().(*client).got[n]++ })
			})
		}
	}
	return n
}

func (w *world) lookupAll(names []string) []*Room {
	var rooms []*Room
	for _, n := range names {
		rooms = append(rooms, w.dir.Lookup(n))
	}
	return rooms
}

// expectation is what a client must have got once all is quiet.
type expectation struct {
	client  *client
	message int32
	times   int
}

// churn is a goroutine with sockets that come, join, leave and go. It returns
// what its sockets must have got: a message emitted right after a join includes
// the joiner, one emitted right after a leave or a disconnect does not.
func (w *world) churn(seed uint64) []expectation {
	var want []expectation
	rng := rand.New(rand.NewPCG(seed, 1))
	c := w.connect(rng.IntN(raceShards))
	joined := make(map[string]*Room)
	for range raceSteps {
		name := fmt.Sprintf("churn %d", rng.IntN(raceRooms))
		switch rng.IntN(8) {
		default:
			r := w.join(c, name)
			if w.dir.Lookup(name) != r {
				w.t.Error("an acquired room is not found")
			}
			joined[name] = r
			want = append(want, expectation{c, w.emit(&Target{Rooms: w.lookupAll([]string{name})}), 1})
		case 0, 1, 2:
			if r := joined[name]; r != nil {
				w.leave(c, r)
				delete(joined, name)
				want = append(want, expectation{c, w.emit(&Target{Rooms: []*Room{r, w.dir.Lookup(name)}}), 0})
			}
		case 3:
			w.disconnect(c)
			w.join(c, name) // comes too late
			want = append(want, expectation{c, w.emit(&Target{Rooms: []*Room{w.dir.Everyone(), w.dir.Lookup(name)}}), 0})
			c = w.connect(rng.IntN(raceShards))
			clear(joined)
		case 4:
			for r := range w.dir.All() {
				_, _, _ = r.Name(), r.Count(), slices.Collect(r.Shards())
			}
		}
	}
	w.disconnect(c)
	return want
}

// send is a goroutine that broadcasts to the rooms of the stayers, mixed with
// those that come and go. It returns what the stayers must have got.
func (w *world) send(seed uint64, stayers []*client) []expectation {
	var want []expectation
	rng := rand.New(rand.NewPCG(seed, 2))
	for range raceSteps {
		churn := fmt.Sprintf("churn %d", rng.IntN(raceRooms))
		t, times := new(Target), 1
		switch rng.IntN(5) {
		case 0:
			t.Rooms = w.lookupAll([]string{"stay"})
		case 1:
			t.Rooms = w.lookupAll([]string{churn, "stay", "stay too"})
		case 2:
			t.Rooms, t.Except = []*Room{w.dir.Everyone()}, w.lookupAll([]string{churn})
		case 3:
			t.Rooms, t.Except, times = []*Room{w.dir.Everyone()}, w.lookupAll([]string{"stay", churn}), 0
		case 4:
			t.Rooms, t.ExceptMember = w.lookupAll([]string{"stay", churn}), &stayers[rng.IntN(len(stayers))].Member
		}
		n := w.emit(t)
		for _, c := range stayers {
			if t.ExceptMember == &c.Member {
				want = append(want, expectation{c, n, 0})
			} else {
				want = append(want, expectation{c, n, times})
			}
		}
	}
	return want
}

// TestConcurrent runs joins, leaves, disconnects and broadcasts from several
// goroutines.
func TestConcurrent(t *testing.T) {
	w := newWorld(t)
	var stayers []*client
	for i := range raceShards * raceStayers {
		c := w.connect(i % raceShards)
		w.join(c, "stay")
		w.join(c, "stay too")
		stayers = append(stayers, c)
	}

	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		want []expectation
	)
	for seed := range uint64(3) {
		for _, run := range []func() []expectation{
			func() []expectation { return w.churn(seed) },
			func() []expectation { return w.churn(seed + 100) },
			func() []expectation { return w.send(seed, stayers) },
		} {
			wg.Go(func() {
				expected := run()
				mu.Lock()
				want = append(want, expected...)
				mu.Unlock()
			})
		}
	}
	wg.Wait()
	for _, c := range stayers {
		w.disconnect(c)
	}
	w.stop()

	for _, e := range want {
		if got := e.client.got[e.message]; got != e.times {
			t.Fatalf("message %d was got %d times, not %d", e.message, got, e.times)
		}
	}
	if w.dir.Len() != 0 || w.dir.Everyone().Count() != 0 || w.made.Load() != w.ended.Load() {
		t.Fatalf("%d rooms and %d sockets are left; %d rooms made, %d ended",
			w.dir.Len(), w.dir.Everyone().Count(), w.made.Load(), w.ended.Load())
	}
	for i, l := range w.loops {
		checkLinks(t, l.shard, nil, roomsOf(w.dir))
		if w.dir.Everyone().CountOn(i) != 0 {
			t.Fatalf("shard %d still counts sockets", i)
		}
	}
}

// TestAcquireReleaseRace hits one name from many goroutines, so that its room
// ends and begins all the time: a room that is held is always the one that its
// name maps to, and each room that was made ends once.
func TestAcquireReleaseRace(t *testing.T) {
	d := NewDirectory(2)
	var made, ended atomic.Int32
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			shard := g % 2
			for range 2000 {
				r, created := d.Acquire("r", shard)
				if created {
					made.Add(1)
				}
				if got := d.Lookup("r"); got != r {
					t.Error("the name maps to another room than the one held")
					return
				}
				if g%4 == 0 {
					if !d.Retain(r, 1-shard) {
						t.Error("a held room has ended")
						return
					}
					if d.Release(r, 1-shard) {
						t.Error("a held room was removed")
						return
					}
				}
				if r.CountOn(shard) < 1 || r.Count() < 1 {
					t.Error("a held room counts nothing")
					return
				}
				if d.Release(r, shard) {
					ended.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if d.Len() != 0 || made.Load() != ended.Load() {
		t.Fatalf("%d rooms are left, %d made, %d ended", d.Len(), made.Load(), ended.Load())
	}
}
