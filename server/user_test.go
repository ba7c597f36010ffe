package server_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed58c87869/siren/server"
)

// userOf makes a socket's user of its auth payload.
func userOf(_ context.Context, s *server.Socket) error {
	var auth struct{ User string }
	if err := s.Handshake().Auth(&auth); err != nil {
		return err
	}
	s.SetUser(auth.User)
	return nil
}

// as connects a client as a user.
func as(t *testing.T, srv *server.Server, user string) (*client, *server.Socket) {
	t.Helper()
	c := dial(t, srv)
	c.send(fmt.Sprintf(`0{"user":%q}`, user))
	m := c.next().text
	id := strings.TrimSuffix(strings.TrimPrefix(m, `0{"sid":"`), `"}`)
	s := srv.Of("/").Socket(id)
	if s == nil {
		t.Fatalf("not connected: %s", m)
	}
	return c, s
}

func TestUsersSelectSockets(t *testing.T) {
	srv := start(t, server.Config{}, func(srv *server.Server) {
		withSync(srv)
		srv.Of("/").Use(userOf)
	})
	ns := srv.Of("/")
	clients, all := map[rune]*client{}, map[rune]*server.Socket{}
	const names = "abcd"
	for n, user := range map[rune]string{'a': "ann", 'b': "ann", 'c': "bob", 'd': ""} {
		clients[n], all[n] = as(t, srv, user)
		if got := all[n].User(); got != user {
			t.Errorf("user %q, want %q", got, user)
		}
	}
	if err := errors.Join(all['b'].Join("x"), all['d'].Join("x")); err != nil {
		t.Fatal(err)
	}
	check := func(o server.Operator, want string) {
		t.Helper()
		if _, err := o.Emit("op", want); err != nil {
			t.Error(err)
		}
		got := ""
		for _, n := range names {
			if clients[n].got(fmt.Sprintf(`2["op",%q]`, want)) {
				got += string(n)
			}
		}
		n, err := o.Count(t.Context())
		if got != want || n != len(want) || err != nil || len(o.Sockets()) != len(want) {
			t.Errorf("%q got it, %d are counted (%v), %d listed; want %q", got, n, err, len(o.Sockets()), want)
		}
	}
	check(ns.Users("ann"), "ab")
	check(ns.Users("ann", "ann", "nobody"), "ab")
	check(ns.Users("nobody"), "")
	check(ns.Users(""), "")
	check(ns.Users(), "abcd")
	check(ns.To("x").Users("ann"), "abd")
	check(ns.Users("bob").To("x"), "bcd")
	check(ns.Users("ann", "bob").Except("x"), "ac")
	check(all['a'].Broadcast().Users("ann", "bob"), "bc")
	all['a'].SetUser("bob")
	check(ns.Users("bob"), "ac")
	check(ns.Users("ann"), "b")
	all['c'].SetUser("")
	check(ns.Users("bob"), "a")
	clients['a'].close()
	eventually(t, "the socket has ended", func() bool { return !all['a'].Connected() })
	if all['a'].SetUser("eve"); all['a'].User() != "bob" {
		t.Error("an ended socket's user has changed")
	}
	if n, err := ns.Users("bob", "eve").Count(t.Context()); n != 0 || err != nil {
		t.Error(n, err)
	}
}

// The sockets of a user are linked in each other: they come and go in any order.
func TestUsersComeAndGo(t *testing.T) {
	srv := start(t, server.Config{}, func(srv *server.Server) {
		withSync(srv)
		srv.Of("/").Use(userOf)
	})
	ns := srv.Of("/")
	const n = 12
	clients, all := make([]*client, n), make([]*server.Socket, n)
	for i := range n {
		clients[i], all[i] = as(t, srv, fmt.Sprint(i%2))
	}
	left := map[string]int{"0": n / 2, "1": n / 2}
	for _, i := range []int{0, 11, 5, 6, 4, 1, 2, 3, 10, 9, 7, 8} {
		clients[i].close()
		eventually(t, "it has ended", func() bool { return !all[i].Connected() })
		left[fmt.Sprint(i%2)]--
		for user, want := range left {
			if got := len(ns.Users(user).Sockets()); got != want {
				t.Errorf("without %d user %s has %d sockets, want %d", i, user, got, want)
			}
		}
	}
}

// A socket that comes back has its user, and gets what was sent to it meanwhile.
func TestUserComesBack(t *testing.T) {
	srv := start(t, server.Config{Recovery: server.Recovery{MaxDisconnection: time.Minute}}, func(srv *server.Server) {
		srv.Of("/").Use(userOf)
	})
	ns := srv.Of("/")
	c := dial(t, srv)
	c.send(`0{"user":"ann"}`)
	hello := c.next().text
	id, pid := between(hello, `"sid":"`), between(hello, `"pid":"`)
	if _, err := ns.Users("ann").Emit("first"); err != nil {
		t.Fatal(err)
	}
	offset := between(strings.ReplaceAll(c.next().text, `2["first","`, `2["first",offset:"`), `offset:"`)
	s := ns.Socket(id)
	_ = c.conn.Close()
	eventually(t, "it is away", func() bool { return !s.Connected() })
	for _, o := range []server.Operator{ns.Users("bob"), ns.Users("ann"), ns.To("nowhere")} {
		if _, err := o.Emit("missed"); err != nil {
			t.Fatal(err)
		}
	}
	back := dial(t, srv)
	back.send(fmt.Sprintf(`0{"pid":%q,"offset":%q}`, pid, offset))
	if m := back.next().text; !strings.HasPrefix(m, `2["missed",`) {
		t.Errorf("got %s", m)
	}
	if m := back.next().text; !strings.HasPrefix(m, `0{"sid":"`+id) {
		t.Errorf("got %s", m)
	}
	if got := ns.Users("ann").Sockets(); len(got) != 1 || got[0].ID() != id || got[0].User() != "ann" {
		t.Error(got)
	}
}

// between returns what stands between a text and the next quote.
func between(s, begin string) string {
	_, rest, _ := strings.Cut(s, begin)
	inside, _, _ := strings.Cut(rest, `"`)
	return inside
}

// The users that an operator names reach the other nodes, and a fetched socket tells its user.
func TestUsersOfOtherNodes(t *testing.T) {
	all := newNodes(t, server.Config{}, func(_ string, srv *server.Server) { srv.Of("/").Use(userOf) })
	nodes := []*server.Server{all.srv["a"], all.srv["b"]}
	ann, _ := as(t, nodes[1], "ann")
	_, _ = as(t, nodes[1], "bob")
	if _, err := nodes[0].Of("/").Users("ann").Emit("hello"); err != nil {
		t.Fatal(err)
	}
	ann.expect(`2["hello"]`)
	found, err := nodes[0].Of("/").Users("ann").FetchSockets(t.Context())
	if err != nil || len(found) != 1 || found[0].User() != "ann" {
		t.Error(found, err)
	}
	if n, err := nodes[0].Of("/").Users("ann", "bob").Count(t.Context()); n != 2 || err != nil {
		t.Error(n, err)
	}
}

// Every socket that stays is on exactly one page, while others come and go, by each way of finding them.
func TestPages(t *testing.T) {
	srv := start(t, server.Config{}, func(srv *server.Server) {
		withSync(srv)
		srv.Of("/").Use(userOf)
	})
	ns := srv.Of("/")
	var stay []string
	for i := range 40 {
		_, s := as(t, srv, "ann")
		if err := s.Join("all", fmt.Sprint("room", i%2)); err != nil {
			t.Fatal(err)
		}
		stay = append(stay, s.ID())
	}
	slices.Sort(stay)
	for name, o := range map[string]server.Operator{
		"everybody": ns.To(), "a room": ns.To("all"), "rooms": ns.To("room0", "room1"), "a user": ns.Users("ann"),
		"ids": ns.To(stay...), "a room and a user": ns.To("room1").Users("ann"),
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			seen := map[string]int{}
			for position, pages := "", 0; ; pages++ {
				guest, s := as(t, srv, "ann")
				_ = s.Join("all", "room0")
				page, next, err := o.Page(t.Context(), position, 7)
				if err != nil || len(page) > 7 || pages > 100 {
					t.Fatal(len(page), pages, err)
				}
				guest.close()
				eventually(t, "the guest has left", func() bool { return !s.Connected() })
				for _, s := range page {
					seen[s.ID()]++
					if slices.Contains(stay, s.ID()) {
						got = append(got, s.ID())
					}
				}
				if position = next; next == "" {
					break
				}
			}
			slices.Sort(got)
			if !slices.Equal(got, stay) {
				t.Errorf("%d of %d sockets that stayed are listed", len(got), len(stay))
			}
			for id, n := range seen {
				if n != 1 {
					t.Errorf("%s is listed %d times", id, n)
				}
			}
		})
	}
	if page, next, err := ns.To("all").Except("room1").Page(t.Context(), "", 100); len(page) != 20 || next != "" || err != nil {
		t.Error(len(page), next, err)
	}
	for _, position := range []string{"x", "1", "-1.a", "99.a", "1." + stay[0] + "x", "0x1.a", "1 ."} {
		if _, _, err := ns.To("all").Page(t.Context(), position, 7); err != nil && !errors.Is(err, server.ErrPosition) || err == nil && !strings.Contains(position, stay[0]) {
			t.Errorf("position %q: %v", position, err)
		}
	}
	for o, want := range map[string]int{"": 40, "room1": 20} {
		op := ns.To()
		if o != "" {
			op = ns.To(o)
		}
		if page, next, err := op.Page(t.Context(), "", want); len(page) != want || next != "" || err != nil {
			t.Errorf("a page that holds all: %d sockets, next %q, %v", len(page), next, err)
		}
	}
	if page, next, err := ns.To().Page(t.Context(), "", 0); len(page) != 0 || next != "" || err != nil {
		t.Error("a page without room", len(page), next, err)
	}
}

func TestRoomPages(t *testing.T) {
	srv, socket := sockets(t)
	ns := srv.Of("/")
	_, a := socket("/")
	_, b := socket("/")
	for i := range 15 {
		if err := a.Join(fmt.Sprint("r-", i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(a.Join(""), b.Join("r-3", "r-4", "other"), a.Join("r-3")); err != nil {
		t.Fatal(err)
	}
	for prefix, want := range map[string]int{"": 17, "r-": 15, "r-1": 6, "nowhere": 0} {
		found := map[string]int{}
		for position := ""; ; {
			page, next, err := ns.RoomPage(prefix, position, 4)
			if err != nil || len(page) > 4 {
				t.Fatal(page, err)
			}
			for _, r := range page {
				if _, twice := found[r.Name]; twice || !strings.HasPrefix(r.Name, prefix) {
					t.Errorf("%q: %q is listed", prefix, r.Name)
				}
				found[r.Name] = r.Sockets
			}
			if position = next; next == "" {
				break
			}
		}
		if len(found) != want || want > 6 && (found["r-3"] != 2 || found["r-5"] != 1) {
			t.Errorf("%q: %v, want %d rooms", prefix, found, want)
		}
	}
	if _, _, err := ns.RoomPage("", "no position", 4); !errors.Is(err, server.ErrPosition) {
		t.Error(err)
	}
	if top := ns.TopRooms(2); len(top) != 2 || top[0].Sockets != 2 || top[1].Sockets != 2 || ns.RoomTotal() != 17 {
		t.Error(top, ns.RoomTotal())
	}
	child := false
	srv.OfFunc(func(context.Context, string, server.Raw) bool { return true })
	guest := dial(t, srv)
	guest.join("/child")
	for _, ns := range srv.Namespaces() {
		child = child || ns.IsChild() && ns.Name() == "/child"
	}
	if all := srv.Namespaces(); !child || len(all) < 2 || all[0].Name() != "/" || all[0].IsChild() {
		t.Error(all)
	}
	if top := ns.TopRooms(0); len(top) != 0 {
		t.Error(top)
	}
	if top := ns.TopRooms(100); len(top) != 17 {
		t.Error(top)
	}
}

// What waits for the loops tells exact numbers, whatever is under way.
func TestCounted(t *testing.T) {
	srv := start(t, server.Config{}, func(srv *server.Server) {
		withSync(srv)
		srv.Of("/").Use(userOf)
	})
	ns := srv.Of("/")
	var clients []*client
	for range 10 {
		c, _ := as(t, srv, "ann")
		clients = append(clients, c)
	}
	_, bob := as(t, srv, "bob")
	ctx := t.Context()
	count := func(what string, n int, err error, want int) {
		t.Helper()
		if n != want || err != nil {
			t.Errorf("%s: %d, %v; want %d", what, n, err, want)
		}
	}
	for range 50 {
		n, err := ns.Users("ann").SocketsJoinCounted(ctx, "vip")
		count("join", n, err, 10)
		n, exact, err := ns.To("vip").EmitCounted(ctx, "x")
		count("emit", n, err, 10)
		_ = ns.To("vip").SocketsLeave("vip") // not waited for
		gone, exactly, err := ns.To("vip").EmitCounted(ctx, "y")
		count("emit to a room that all have just left", gone, err, 0)
		if !exact || !exactly {
			t.Error("not exact")
		}
	}
	n, err := ns.To(bob.ID(), "vip").SocketsJoinCounted(ctx, "a", "b")
	count("join of one", n, err, 1)
	n, err = ns.To("a", "b").SocketsLeaveCounted(ctx, "a")
	count("leave", n, err, 1)
	n, exact, err := ns.To(bob.ID()).EmitCounted(ctx, "z")
	if count("emit to an id", n, err, 1); !exact {
		t.Error("not exact")
	}
	p, err := server.Prepare("p", []byte("1234"))
	if err != nil || p.Size() != len(`["p",{"_placeholder":true,"num":0}]`)+4 {
		t.Error(p.Size(), err)
	}
	for _, o := range []server.Operator{ns.To("b", "nowhere"), ns.To("b").Except("nowhere"), ns.Users("bob"), bob.To("b"), ns.To()} {
		if _, exact, err := o.EmitPreparedCounted(ctx, p); exact || err != nil {
			t.Error("it claims to be exact", err)
		}
	}
	n, err = ns.Users("ann").DisconnectSocketsCounted(ctx, false)
	count("disconnect", n, err, 10)
	if n := ns.SocketCount(); n != 1 {
		t.Errorf("%d are left", n)
	}
	n, err = ns.To("nowhere").DisconnectSocketsCounted(ctx, true)
	count("disconnect nobody", n, err, 0)
}

// AskAll tells whose each reply is, and ends with what was asked for.
func TestAskAll(t *testing.T) {
	srv := start(t, server.Config{}, func(srv *server.Server) { withSync(srv) })
	ns := srv.Of("/")
	ids := map[string]bool{}
	var clients []*client
	for range 4 {
		c, id := joined(t, srv, "/")
		ids[id] = true
		clients = append(clients, c)
	}
	answer := func(text string, who ...*client) {
		for _, c := range who {
			id, _, _ := strings.Cut(strings.TrimPrefix(c.next().text, "2"), "[")
			c.send("3" + id + text)
		}
	}
	for _, test := range []struct {
		limits           server.AskLimits
		who              int
		replies, missing int
	}{
		{server.AskLimits{}, 4, 4, 0},
		{server.AskLimits{Replies: 2}, 2, 2, 2},
		{server.AskLimits{Replies: 4}, 4, 4, 0},
		{server.AskLimits{Bytes: 8}, 3, 2, 2}, // three come, and the third does not fit
	} {
		asked := make(chan server.Answers, 1)
		go func() {
			got, err := ns.To().Timeout(time.Minute).AskAll(t.Context(), test.limits, "ask")
			if err != nil {
				t.Error(err)
			}
			asked <- got
		}()
		answer(`["me"]`, clients[:test.who]...)
		got := receive(t, asked)
		for _, c := range clients[test.who:] {
			c.next()
		}
		if len(got.Replies) != test.replies || got.Missing != test.missing {
			t.Errorf("%+v: %d replies, %d missing", test.limits, len(got.Replies), got.Missing)
		}
		for _, r := range got.Replies {
			var text string
			if err := r.Decode(&text); text != "me" || err != nil || !ids[r.SocketID()] {
				t.Error(text, err, r.SocketID())
			}
		}
	}
	got, err := ns.To().Timeout(20*time.Millisecond).AskAll(t.Context(), server.AskLimits{}, "ask")
	if len(got.Replies) != 0 || got.Missing != 4 || err != nil {
		t.Error(got, err)
	}
	for _, c := range clients {
		c.next()
	}
	asked := make(chan server.Answers, 1)
	go func() {
		got, _ := ns.To().Timeout(time.Minute).AskAll(t.Context(), server.AskLimits{}, "ask")
		asked <- got
	}()
	answer(`[]`, clients[1:]...)
	clients[0].next()
	clients[0].close() // it is missing at once
	if got := receive(t, asked); len(got.Replies) != 3 || got.Missing != 1 {
		t.Error(got)
	}
	if got, err := ns.To("nowhere").AskAll(t.Context(), server.AskLimits{}, "ask"); len(got.Replies)+got.Missing != 0 || err != nil {
		t.Error(got, err)
	}
	if _, err := ns.To().AskAll(t.Context(), server.AskLimits{}, "connect"); !errors.Is(err, server.ErrReserved) {
		t.Error(err)
	}
}

func TestLoopStats(t *testing.T) {
	srv := start(t, server.Config{}, func(srv *server.Server) { withSync(srv) })
	sum := func() (s server.LoopStats) {
		all := srv.LoopStats(t.Context())
		if len(all) != 2 || all[1].Loop != 1 {
			t.Fatal(all)
		}
		for _, l := range all {
			if l.Lag < 0 {
				t.Error(l.Lag)
			}
			s.Conns += l.Conns
			s.Polling += l.Polling
			s.WebSockets += l.WebSockets
			s.ReceivedPackets += l.ReceivedPackets
			s.SentPackets += l.SentPackets
			s.ReceivedBytes += l.ReceivedBytes
			s.SentBytes += l.SentBytes
			s.Broadcasts += l.Broadcasts
			s.Connects += l.Connects
			s.Disconnects += l.Disconnects
		}
		return s
	}
	first := sum()
	a, _ := joined(t, srv, "/")
	b, _ := joined(t, srv, "/")
	if _, err := srv.Of("/").Emit("all"); err != nil {
		t.Fatal(err)
	}
	a.expect(`2["all"]`)
	b.expect(`2["all"]`)
	a.sync()
	now := sum()
	if now.WebSockets != 2 || now.Polling != 0 || now.Conns != 2 || now.Broadcasts != 1 || now.Connects != 2 || now.Disconnects != 0 {
		t.Errorf("%+v", now)
	}
	// Each got the open packet, CONNECT and the event, and one an acknowledgement.
	if now.ReceivedPackets < 3 || now.SentPackets < 5 || now.ReceivedBytes <= first.ReceivedBytes || now.SentBytes <= first.SentBytes {
		t.Errorf("%+v", now)
	}
	a.close()
	eventually(t, "it has left", func() bool { s := sum(); return s.Disconnects == 1 && s.WebSockets == 1 })
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	if n := len(srv.LoopStats(stopped)); n != 2 {
		t.Error(n)
	}
	idle, err := server.New(server.Config{})
	if err != nil || idle.LoopStats(t.Context()) != nil {
		t.Error(err)
	}
}
