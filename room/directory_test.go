package room

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unsafe"
)

func TestDirectoryAcquireRelease(t *testing.T) {
	d := NewDirectory(3)
	if d.Lookup("a") != nil || d.Len() != 0 {
		t.Fatal("a new directory has rooms")
	}
	r, created := d.Acquire("a", 2)
	if !created || r.Name() != "a" {
		t.Fatalf("Acquire = %q, %v", r.Name(), created)
	}
	again, created := d.Acquire("a", 0)
	if created || again != r {
		t.Fatal("the second Acquire made another room")
	}
	if d.Lookup("a") != r || d.Len() != 1 {
		t.Fatal("the room is not found")
	}
	if r.Count() != 2 || r.CountOn(0) != 1 || r.CountOn(1) != 0 || r.CountOn(2) != 1 {
		t.Fatal("wrong counts")
	}
	if r.CountOn(-1) != 0 || r.CountOn(3) != 0 {
		t.Fatal("shards that do not exist have references")
	}
	if got := slices.Collect(r.Shards()); !slices.Equal(got, []int{0, 2}) {
		t.Fatalf("Shards yields %v", got)
	}
	for i := range r.Shards() {
		if i != 0 {
			t.Fatal("Shards goes on after break")
		}
		break
	}
	if d.Release(r, 2) {
		t.Fatal("removed too early")
	}
	if !d.Release(r, 0) {
		t.Fatal("the last reference did not remove the room")
	}
	if d.Lookup("a") != nil || d.Len() != 0 || r.Count() != 0 {
		t.Fatal("the room is still there")
	}
	next, created := d.Acquire("a", 0)
	if !created || next == r {
		t.Fatal("a dead room came back")
	}
}

func TestDirectoryReleaseTooMany(t *testing.T) {
	d := NewDirectory(2)
	r, _ := d.Acquire("a", 0)
	if d.Release(r, 1) || r.Count() != 1 || r.CountOn(1) != 0 {
		t.Fatal("released a reference of a shard that had none")
	}
	if !d.Release(r, 0) {
		t.Fatal("the last release did not remove the room")
	}
	next, _ := d.Acquire("a", 0)
	if d.Release(r, 0) || d.Lookup("a") != next || next.Count() != 1 {
		t.Fatal("a release of a dead room touched its successor")
	}
}

func TestDirectoryRetain(t *testing.T) {
	d := NewDirectory(2)
	r, _ := d.Acquire("a", 0)
	if !d.Retain(r, 1) || r.Count() != 2 || r.CountOn(1) != 1 {
		t.Fatal("Retain did not count")
	}
	if d.Release(r, 0) || !d.Release(r, 1) {
		t.Fatal("the retained reference did not keep the room")
	}
	if d.Retain(r, 0) || r.Count() != 0 {
		t.Fatal("retained a dead room")
	}
}

func TestDirectoryEveryone(t *testing.T) {
	d := NewDirectory(2)
	e := d.Everyone()
	if e == nil || e != d.Everyone() || d.Len() != 0 || d.Lookup("") != nil {
		t.Fatal("Everyone is not a room apart")
	}
	if !d.Retain(e, 1) || e.Count() != 1 || e.CountOn(1) != 1 {
		t.Fatal("Everyone does not count")
	}
	if d.Release(e, 1) || e.Count() != 0 {
		t.Fatal("Everyone was removed")
	}
	if !d.Retain(e, 0) {
		t.Fatal("Everyone ended")
	}
	// A user's room without a name is not Everyone.
	r, created := d.Acquire("", 0)
	if !created || r == e || r.Name() != "" {
		t.Fatal("the room with the empty name is Everyone")
	}
}

// Rooms belong to a namespace: equal names in two namespaces are different rooms,
// and names are not changed or truncated.
func TestSameNameInTwoNamespaces(t *testing.T) {
	chat, news := NewDirectory(1), NewDirectory(1)
	inChat, inNews := NewShard(0), NewShard(0)
	var a, b Member
	a.Init(0, "a")
	b.Init(0, "b")
	r1, _ := chat.Acquire("lobby", 0)
	r2, created := news.Acquire("lobby", 0)
	if !created || r1 == r2 {
		t.Fatal("the namespaces share a room")
	}
	inChat.Join(&a, r1)
	inNews.Join(&b, r2)
	for _, c := range []struct {
		shard *Shard
		dir   *Directory
		want  string
	}{{inChat, chat, "a"}, {inNews, news, "b"}} {
		n := c.shard.Walk(&Target{Rooms: []*Room{c.dir.Lookup("lobby")}}, func(m *Member) {
			if m.Owner() != c.want {
				t.Errorf("%v got what was for %s", m.Owner(), c.want)
			}
		})
		if n != 1 {
			t.Errorf("%d sockets got it", n)
		}
	}
	inChat.Leave(&a, r1)
	chat.Release(r1, 0)
	if chat.Len() != 0 || news.Len() != 1 || !b.In(r2) {
		t.Fatal("leaving in one namespace shows in the other")
	}
}

// Similar names are different rooms.
func TestNamesAreTakenAsTheyAre(t *testing.T) {
	d := NewDirectory(1)
	long := strings.Repeat("x", 4096)
	names := []string{"", " ", "a", "A", "a ", "a.b", "a_b", "a-b", "a:b", "a/b", "a\x00", "ä", "a\u0308", "\xff", long, long + "x", long + "y"}
	rooms := make(map[*Room]bool)
	for _, n := range names {
		r, created := d.Acquire(n, 0)
		if !created || r.Name() != n {
			t.Errorf("%.20q became %.20q", n, r.Name())
		}
		rooms[r] = true
	}
	if len(rooms) != len(names) || d.Len() != len(names) {
		t.Fatalf("%d names are %d rooms", len(names), len(rooms))
	}
}

func TestDirectoryAll(t *testing.T) {
	d := NewDirectory(1)
	const n = 500
	for i := range n {
		d.Acquire(fmt.Sprint(i), 0)
	}
	seen := make(map[string]bool)
	for r := range d.All() {
		if seen[r.Name()] {
			t.Fatalf("%q twice", r.Name())
		}
		seen[r.Name()] = true
		d.Release(r, 0) // the body may use the directory
	}
	if len(seen) != n || d.Len() != 0 {
		t.Fatalf("%d of %d rooms, %d left", len(seen), n, d.Len())
	}
	d.Acquire("a", 0)
	d.Acquire("b", 0)
	for range d.All() {
		break
	}
}

// A stripe that was large gives its map back.
func TestStripeGivesMemoryBack(t *testing.T) {
	d := NewDirectory(1)
	var rooms []*Room
	for i := range stripes * stripeKeep * 2 {
		r, _ := d.Acquire(fmt.Sprint(i), 0)
		rooms = append(rooms, r)
	}
	for _, r := range rooms {
		d.Release(r, 0)
	}
	for i := range d.all() {
		if st := &d.all()[i]; st.rooms != nil && st.peak > stripeKeep {
			t.Fatalf("stripe %d keeps a map that held %d rooms", i, st.peak)
		}
	}
}

func TestRoomDoesNotHoldTheMessageOfItsName(t *testing.T) {
	d := NewDirectory(1)
	message := strings.Repeat("x", 100)
	name := message[10:20]
	r, _ := d.Acquire(name, 0)
	if unsafe.StringData(r.Name()) == unsafe.StringData(name) {
		t.Fatal("the room's name is a piece of the message")
	}
}

func TestDirectoryWithoutShards(t *testing.T) {
	d := NewDirectory(0)
	if r, created := d.Acquire("a", 0); !created || r.CountOn(0) != 1 {
		t.Fatal("a directory needs at least one shard")
	}
}

// A shard of another server is a bug of the caller, found before it counts.
func TestNoSuchShard(t *testing.T) {
	d := NewDirectory(2)
	r, _ := d.Acquire("a", 0)
	for name, call := range map[string]func(){
		"Acquire": func() { d.Acquire("a", 2) },
		"Retain":  func() { d.Retain(r, -1) },
		"Release": func() { d.Release(r, 2) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s takes a shard that does not exist", name)
				}
			}()
			call()
		}()
	}
	if r.Count() != 1 {
		t.Fatal("a refused call counted")
	}
}

// A directory allocates nothing before its first room, and several loops may create the first room at once.
func TestDirectoryIsMadeLate(t *testing.T) {
	for _, d := range []*Directory{NewDirectory(2), NewSmallDirectory(2)} {
		if d.Lookup("r") != nil || d.Len() != 0 || d.all() != nil {
			t.Fatal("not empty")
		}
		for range d.All() {
			t.Fatal("not empty")
		}
		rooms := make(chan *Room)
		for i := range 8 {
			go func() {
				r, _ := d.Acquire("r", i%2)
				rooms <- r
			}()
		}
		first := <-rooms
		for range 7 {
			if <-rooms != first {
				t.Error("one name, two rooms")
			}
		}
		if first.Count() != 8 || d.Len() != 1 || d.Lookup("r") != first {
			t.Errorf("%d references, %d rooms", first.Count(), d.Len())
		}
	}
}
