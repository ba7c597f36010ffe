package server_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/seed58c87869/siren/server"
)

// sockets returns a server whose sockets the test gets hold of by id.
func sockets(t *testing.T, namespaces ...string) (*server.Server, func(namespace string) (*client, *server.Socket)) {
	t.Helper()
	srv := start(t, server.Config{MaxRooms: 20}, func(srv *server.Server) {
		withSync(srv, namespaces...)
	})
	return srv, func(namespace string) (*client, *server.Socket) {
		t.Helper()
		c, id := joined(t, srv, namespace)
		return c, srv.Of(namespace).Socket(id)
	}
}

// Joining and leaving, again and again, and the end of the socket.
func TestJoinLeave(t *testing.T) {
	srv, socket := sockets(t)
	c, s := socket("/")
	ns := srv.Of("/")
	for _, rooms := range [][]string{{"a"}, {"a", "a"}, {s.ID()}, {"b", "a", ""}, nil} {
		if err := s.Join(rooms...); err != nil {
			t.Error(err)
		}
	}
	if got := s.Rooms(); !slices.Equal(got, []string{s.ID(), "", "a", "b"}) {
		t.Errorf("rooms %q", got)
	}
	for i, want := range map[string]int{"a": 1, "b": 1, "": 1, "c": 0, s.ID(): 1} {
		if got := ns.RoomCount(i); got != want {
			t.Errorf("%d in %q, want %d", got, i, want)
		}
	}
	s.Leave("b", "b", "nowhere", s.ID())
	for _, room := range []string{"b", "a", "a", ""} {
		if _, err := ns.To(room).Emit("to", room); err != nil {
			t.Error(err)
		}
	}
	if !s.InRoom(s.ID()) || s.InRoom("b") {
		t.Error("InRoom")
	}
	c.expect(`2["to","a"]`, `2["to","a"]`, `2["to",""]`)
	s.LeaveAll()
	_, _ = ns.To("a", "b", "").Emit("no")
	_, _ = ns.To(s.ID()).Emit("yes")
	c.expect(`2["yes"]`)
	for i := range 20 {
		if err := s.Join(fmt.Sprint(i)); err != nil {
			t.Error(i, err)
		}
	}
	if err := s.Join("3", "one too many"); !errors.Is(err, server.ErrTooManyRooms) {
		t.Error(err)
	}
	c.close()
	eventually(t, "the rooms are gone", func() bool { return ns.RoomCount("3") == 0 })
	if err := s.Join("a"); !errors.Is(err, server.ErrClosed) {
		t.Error(err)
	}
	s.Leave("3")
	s.LeaveAll()
	if !s.InRoom("3") {
		t.Error("an ended socket forgot its rooms")
	}
}

// A room belongs to its namespace.
func TestRoomsOfNamespaces(t *testing.T) {
	srv, socket := sockets(t, "/a", "/b")
	ca, a := socket("/a")
	cb, b := socket("/b")
	_, _ = a.Join("room"), b.Join("room")
	if n, _ := srv.Of("/a").To("room").Emit("x"); n != 1 {
		t.Errorf("sent to %d", n)
	}
	_, _ = srv.Of("/b").To(a.ID()).Emit("no")
	_, _ = srv.Of("/b").Emit("y")
	ca.expect(`2/a,["x"]`)
	cb.expect(`2/b,["y"]`)
	ca.send(`2/a,1["sync"]`)
	ca.expect(`3/a,1[]`)
}

// got reports whether that packet, and nothing else, comes before the answer to a "sync".
func (c *client) got(packet string) (yes bool) {
	c.t.Helper()
	c.send(`21["sync"]`)
	m := c.next().String()
	if m == packet {
		yes, m = true, c.next().String()
	}
	if m != `31[]` {
		c.t.Fatalf("got %s", m)
	}
	return yes
}

// Every operator. Who gets it is in the name: "" nobody, "a" socket a, and so on; sockets are spread over
// two loops.
func TestBroadcastOperators(t *testing.T) {
	srv, socket := sockets(t)
	ns := srv.Of("/")
	const names = "abcdef"
	clients, all := map[rune]*client{}, map[rune]*server.Socket{}
	for _, n := range names {
		clients[n], all[n] = socket("/")
	}
	a, b := all['a'], all['b']
	for n, rooms := range map[rune][]string{'a': {"x", "y"}, 'b': {"x"}, 'c': {"y"}, 'd': {"y", "z"}, 'e': {"z"}} {
		if err := all[n].Join(rooms...); err != nil {
			t.Fatal(err)
		}
	}
	shared := ns.To("x")
	_ = shared.To("z").Except("y") // makes another one
	for i, test := range []struct {
		op   server.Operator
		want string
	}{
		{ns.Local(), "abcdef"},
		{ns.Volatile(), "abcdef"},
		{ns.To(), "abcdef"},
		{shared, "ab"},
		{ns.In("x", "y"), "abcd"},
		{ns.To("x").To("y").In("x"), "abcd"},
		{ns.To("nowhere"), ""},
		{ns.To("nowhere", "z"), "de"},
		{ns.To(a.ID()), "a"},
		{ns.To(a.ID(), b.ID(), a.ID(), "x"), "ab"},
		{ns.Except("x"), "cdef"},
		{ns.Except("x").Except("y", "nowhere"), "ef"},
		{ns.Except(a.ID()), "bcdef"},
		{ns.To("y").Except(a.ID(), "z"), "c"},
		{ns.To("x", "y").Except("y"), "b"},
		{ns.To(a.ID()).Except("x"), ""},
		{ns.To(a.ID()).Except(a.ID()), ""},
		{a.Broadcast(), "bcdef"},
		{a.Broadcast().Local().Volatile(), "bcdef"},
		{a.To("x", "y"), "bcd"},
		{a.In("x").Volatile(), "b"},
		{a.To(a.ID()), ""},
		{a.To(b.ID()), "b"},
		{a.To(b.ID(), a.ID()), "b"},
		{a.Except("y"), "bef"},
		{a.To("y").Except("z"), "c"},
		{b.To("y"), "acd"},
		{all['f'].To("x"), "ab"},
	} {
		if _, err := test.op.Emit("op", i); err != nil {
			t.Error(err)
		}
		got := ""
		for _, n := range names {
			if clients[n].got(fmt.Sprintf(`2["op",%d]`, i)) {
				got += string(n)
			}
		}
		if got != test.want {
			t.Errorf("case %d: %q got it, want %q", i, got, test.want)
		}
	}
	if n, err := ns.To("x").Emit("connect"); n != 0 || !errors.Is(err, server.ErrReserved) {
		t.Error(n, err)
	}
	if n, err := ns.To("x").Emit("f", func() {}); n != 0 || !errors.Is(err, server.ErrEncode) {
		t.Error(n, err)
	}
}

// Encode once by hand. The same event for several namespaces, with and without attachments.
func TestPrepare(t *testing.T) {
	srv, socket := sockets(t, "/a", "/b")
	text, err := server.Prepare("tick", 1, "x[")
	if err != nil {
		t.Fatal(err)
	}
	binary, err := server.Prepare("bin", []byte{1}, map[string]any{"b": []byte{2}})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []string{"/", "/a", "/b"} {
		prefix := n + ","
		if n == "/" {
			prefix = ""
		}
		c, s := socket(n)
		for range 2 {
			if got, err := srv.Of(n).EmitPrepared(text); got != 1 || err != nil {
				t.Error(got, err)
			}
			_, _ = srv.Of(n).To(s.ID()).EmitPrepared(binary)
			if err := s.EmitPrepared(text); err != nil {
				t.Error(err)
			}
			c.expect("2"+prefix+`["tick",1,"x["]`,
				"52-"+prefix+`["bin",{"_placeholder":true,"num":0},{"b":{"_placeholder":true,"num":1}}]`, "binary 01", "binary 02",
				"2"+prefix+`["tick",1,"x["]`)
		}
		c.close()
		eventually(t, "it is gone", func() bool { return !s.Connected() })
		if err := s.EmitPrepared(text); !errors.Is(err, server.ErrClosed) {
			t.Error(err)
		}
	}
	if _, err := server.Prepare("disconnect"); !errors.Is(err, server.ErrReserved) {
		t.Error(err)
	}
	if _, err := server.Prepare("x", make(chan int)); !errors.Is(err, server.ErrEncode) {
		t.Error(err)
	}
	many, _ := server.Prepare("many")
	for i := range 100 {
		if _, err := srv.Of(fmt.Sprintf("/many%d", i)).EmitPrepared(many); err != nil {
			t.Error(err)
		}
	}
}

// joinAndLeave joins the room and leaves it, over and over, until stop; or drops the connection soon.
func (c *client) joinAndLeave(stop chan struct{}, drop bool) {
	for n := 0; ; n++ {
		select {
		case <-stop:
			return
		default:
		}
		c.send(`21["join","room"]`, `22["leave","room"]`)
		for left, limit := 2, time.After(patience); left > 0; {
			var m message
			ok := true
			select {
			case m, ok = <-c.in:
			case <-limit:
				c.t.Error("no answer to join and leave")
				return
			}
			if !ok {
				return
			}
			if m.text == "31[]" || m.text == "32[]" {
				left--
			}
		}
		if drop && n == 5 {
			_ = c.conn.Close()
		}
	}
}

// Hundreds of sockets on two loops; some stay in a room throughout, the others join, leave and go. Several goroutines
// broadcast. Whoever stayed got each message once and those of each sender in order. What the others got is in order
// too. (DESIGN, "Order", 1 to 3.)
func TestOrderOfBroadcasts(t *testing.T) {
	const stayers, movers, senders, messages = 150, 60, 4, 120
	srv := start(t, server.Config{Queue: server.Queue{MaxBytes: 16 << 20}}, func(srv *server.Server) {
		withSync(srv)
		server.On1(srv.Of("/"), "join", func(_ context.Context, s *server.Socket, r string) error { return s.Join(r) })
		server.On1(srv.Of("/"), "leave", func(_ context.Context, s *server.Socket, r string) error { s.Leave(r); return nil })
	})
	stay, move := make([]*client, stayers), make([]*client, movers)
	for i := range stay {
		stay[i], _ = joined(t, srv, "/")
		stay[i].send(`21["join","room"]`)
		stay[i].expect(`31[]`)
	}
	for i := range move {
		move[i], _ = joined(t, srv, "/")
	}
	var moving, sending sync.WaitGroup
	stop := make(chan struct{})
	for i, c := range move {
		moving.Go(func() { c.joinAndLeave(stop, i%4 == 0) })
	}
	ns := srv.Of("/")
	for sender := range senders {
		sending.Go(func() {
			op := ns.To("room")
			if sender%2 == 1 {
				op = op.To("elsewhere").Except("nobody")
			}
			for i := range messages {
				if _, err := op.Emit("m", sender, i); err != nil {
					t.Error(err)
				}
			}
		})
	}
	sending.Wait()
	close(stop)
	moving.Wait()
	for i, c := range stay {
		next := [senders]int{}
		for range senders * messages {
			var sender, n int
			m := c.next()
			if _, err := fmt.Sscanf(m.text, `2["m",%d,%d]`, &sender, &n); err != nil {
				t.Fatalf("socket %d got %s", i, m)
			}
			if n != next[sender] {
				t.Fatalf("socket %d: message %d of sender %d came, want %d", i, n, sender, next[sender])
			}
			next[sender]++
		}
		c.sync()
	}
}

// DESIGN, "Order", 1 and 2: of one goroutine, broadcasts, emits and acknowledgements arrive in the order of the calls,
// and a join counts for the next broadcast, as does leaving.
func TestOrderOfOneGoroutine(t *testing.T) {
	srv := start(t, server.Config{}, func(srv *server.Server) {
		ns := srv.Of("/")
		ns.On("go", func(_ context.Context, m *server.Message) {
			s := m.Socket()
			for i := range 50 {
				_, _ = ns.To("room").Emit("no")
				_ = s.Join("room")
				_ = s.Emit("e", i)
				_, _ = ns.To("room").Emit("b", i)
				_, _ = ns.To("elsewhere", s.ID()).Emit("i", i)
				_, _ = ns.Emit("n", i)
				s.Leave("room")
				_, _ = ns.To("room").Emit("no")
			}
			_ = m.Ack("done")
			_ = s.Emit("last")
		})
	})
	other, _ := joined(t, srv, "/")
	defer other.close()
	for range 4 {
		c, _ := joined(t, srv, "/")
		c.send(`27["go"]`)
		for i := range 50 {
			for _, e := range "ebin" {
				c.expect(fmt.Sprintf(`2["%c",%d]`, e, i))
			}
		}
		c.expect(`37["done"]`, `2["last"]`)
		c.close()
		eventually(t, "it is gone", func() bool { return srv.Of("/").SocketCount() == 1 })
	}
}
