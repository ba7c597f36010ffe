package server_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/seed58c87869/siren/server"
)

// crowd returns a server with sockets a to f, spread over two loops: a, b in x; a, c, d in y; d, e in z.
func crowd(t *testing.T) (*server.Server, map[string]*client, map[string]*server.Socket) {
	t.Helper()
	srv, socket := sockets(t)
	clients, all := map[string]*client{}, map[string]*server.Socket{}
	for _, n := range strings.Split("abcdef", "") {
		clients[n], all[n] = socket("/")
	}
	for n, rooms := range map[string][]string{"a": {"x", "y"}, "b": {"x"}, "c": {"y"}, "d": {"y", "z"}, "e": {"z"}} {
		if err := all[n].Join(rooms...); err != nil {
			t.Fatal(err)
		}
	}
	return srv, clients, all
}

// names returns those of the sockets with these ids.
func names(all map[string]*server.Socket, ids []string) string {
	out := ""
	for _, n := range strings.Split("abcdef", "") {
		if slices.Contains(ids, all[n].ID()) {
			out += n
		}
	}
	if len(out) != len(ids) {
		out += "?"
	}
	return out
}

// A snapshot, a fetch and a count see the same sockets, with every operator.
func TestFetch(t *testing.T) {
	srv, _, all := crowd(t)
	ns := srv.Of("/")
	secret, shown := server.NewKey[int]("shown"), server.NewKey[any]("shown", server.Shared())
	secret.Set(all["a"], 1)
	shown.Set(all["a"], map[string]any{"n": 7, "bin": []byte{1}})
	shown.Set(all["b"], func() {}) // cannot be encoded
	for i, test := range []struct {
		op   server.Operator
		want string
	}{
		{ns.To(), "abcdef"},
		{ns.Local(), "abcdef"},
		{ns.To("x"), "ab"},
		{ns.To("x", "y"), "abcd"},
		{ns.To("nowhere"), ""},
		{ns.To("nowhere", "z"), "de"},
		{ns.To(all["a"].ID(), all["f"].ID(), all["a"].ID()), "af"},
		{ns.To(all["a"].ID(), "z"), "ade"},
		{ns.Except("x"), "cdef"},
		{ns.To("y").Except(all["a"].ID(), "z"), "c"},
		{all["a"].Broadcast(), "bcdef"},
		{all["a"].To("x", "y"), "bcd"},
		{all["a"].To(all["a"].ID()), ""},
	} {
		fetched, err := test.op.FetchSockets(t.Context())
		var ids, snapshot []string
		for _, r := range fetched {
			ids = append(ids, r.ID())
			if r.Local() == nil || r.Node() != "" || !slices.Equal(r.Rooms(), r.Local().Rooms()) || !r.InRoom(r.ID()) {
				t.Errorf("case %d: %+v", i, r)
			}
		}
		if got := names(all, ids); got != test.want || err != nil || !slices.IsSorted(ids) {
			t.Errorf("case %d: fetched %q, want %q, %v", i, got, test.want, err)
		}
		for _, s := range test.op.Sockets() {
			snapshot = append(snapshot, s.ID())
		}
		if got := names(all, snapshot); got != test.want {
			t.Errorf("case %d: snapshot %q, want %q", i, got, test.want)
		}
		if n, err := test.op.Count(t.Context()); n != len(test.want) || err != nil {
			t.Errorf("case %d: count %d, %v", i, n, err)
		}
	}
	a, err := ns.To(all["a"].ID()).FetchSockets(t.Context())
	if err != nil || len(a) != 1 {
		t.Fatal(a, err)
	}
	if v, ok, err := shown.From(a[0]); !ok || err != nil || fmt.Sprint(v) != "map[bin:[1] n:7]" {
		t.Error(v, ok, err)
	}
	if _, ok, _ := secret.From(a[0]); ok {
		t.Error("a key that is not shared was seen")
	}
	if d := all["b"].Data(); len(d.JSON) != 0 {
		t.Errorf("%s", d.JSON)
	}
	if h := a[0].Handshake(); h.Address != "127.0.0.1" || h.Headers["Host"] == nil || h.Query["EIO"][0] != "4" ||
		h.Issued.IsZero() || !strings.HasPrefix(h.URL, "/socket.io/?") || h.Auth != nil {
		t.Errorf("%+v", h)
	}
}

// What a fetched socket can do.
func TestRemoteSocket(t *testing.T) {
	srv, clients, all := crowd(t)
	ns := srv.Of("/")
	list, err := ns.To(all["f"].ID()).FetchSockets(t.Context())
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	f := list[0]
	if err := errors.Join(f.Join("new", "x"), f.Leave("x"), f.Emit("hello", 1)); err != nil {
		t.Error(err)
	}
	_, _ = ns.To("new").Emit("new")
	_, _ = ns.To("x").Emit("no")
	_ = f.Disconnect(false)
	clients["f"].expect(`2["hello",1]`, `2["new"]`, `1`)
	_ = f.Disconnect(true) // it is not there any more
	clients["f"].join("/")
	clients["f"].sync()
}

// The order of calls of one goroutine holds: who was put into a room gets the next broadcast, who was taken out
// does not, whether or not there was such a room before.
func TestSocketsJoinLeave(t *testing.T) {
	srv, clients, all := crowd(t)
	ns := srv.Of("/")
	emit := func(room, event string) {
		t.Helper()
		if _, err := ns.To(room).Emit(event); err != nil {
			t.Error(err)
		}
	}
	for round := range 20 {
		fresh := fmt.Sprint("fresh", round)
		if err := ns.To("x").Except(all["b"].ID()).SocketsJoin(fresh, "other", fresh); err != nil {
			t.Error(err)
		}
		emit(fresh, "in")
		if err := ns.To(fresh, "nowhere").SocketsLeave(fresh, "unknown"); err != nil {
			t.Error(err)
		}
		emit(fresh, "out")
		clients["a"].expect(`2["in"]`)
	}
	if err := errors.Join(ns.SocketsJoin(), ns.To("nowhere").SocketsJoin("q"), ns.To(all["a"].ID()).SocketsJoin(all["a"].ID())); err != nil {
		t.Error(err)
	}
	// The socket's own view follows, and so does the directory.
	if n, err := ns.To("other").Count(t.Context()); n != 1 || err != nil {
		t.Error(n, err)
	}
	eventually(t, "the rooms are as they were", func() bool { return slices.Equal(ns.RoomNames(), []string{"other", "x", "y", "z"}) })
	if got := all["a"].Rooms(); !slices.Equal(got, []string{all["a"].ID(), "other", "x", "y"}) {
		t.Error(got)
	}
	// At its limit a socket stays outside, and that is counted.
	many := make([]string, 25)
	for i := range many {
		many[i] = fmt.Sprint("many", i)
	}
	if err := ns.To(all["f"].ID()).SocketsJoin(many...); err != nil {
		t.Error(err)
	}
	if n, _ := ns.To(many...).Count(t.Context()); n != 1 || len(all["f"].Rooms()) != 21 || srv.Stats().JoinsRefused != 5 {
		t.Error(n, all["f"].Rooms(), srv.Stats().JoinsRefused)
	}
	for n, c := range clients {
		if c.got("") {
			t.Error(n)
		}
	}
}

// Disconnecting many, behind what was sent to them before, with and without their connections.
func TestDisconnectSockets(t *testing.T) {
	srv, clients, _ := crowd(t)
	ns := srv.Of("/")
	_, _ = ns.Emit("last")
	if err := ns.To("x", "nowhere").Except("y").DisconnectSockets(false); err != nil {
		t.Error(err)
	}
	if err := ns.To("z").DisconnectSockets(true); err != nil {
		t.Error(err)
	}
	clients["b"].expect(`2["last"]`, `1`)
	clients["b"].join("/")
	for _, n := range []string{"d", "e"} {
		clients[n].expect(`2["last"]`, `1`)
		clients[n].expectClosed()
	}
	for _, n := range []string{"a", "c", "f"} {
		clients[n].expect(`2["last"]`)
		clients[n].sync()
	}
	if n, err := ns.Count(t.Context()); n != 4 || err != nil {
		t.Error(n, err)
	}
}

// What waits for loops ends with its context, and with the server.
func TestFetchEnds(t *testing.T) {
	srv, _, _ := crowd(t)
	cause := errors.New("cause")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	if _, err := srv.Of("/").FetchSockets(ctx); err != nil && !errors.Is(err, cause) {
		t.Error(err)
	}
	_ = srv.Close()
	if _, err := srv.Of("/").FetchSockets(t.Context()); !errors.Is(err, server.ErrClosed) {
		t.Error(err)
	}
	if _, err := srv.Of("/").Count(t.Context()); !errors.Is(err, server.ErrClosed) {
		t.Error(err)
	}
	// A server that was never started has no sockets.
	idle, err := server.New(server.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if n, err := idle.Of("/").Count(t.Context()); n != 0 || err != nil {
		t.Error(n, err)
	}
	if err := idle.Of("/").SocketsJoin("x"); err != nil || len(idle.Of("/").RoomNames()) != 0 {
		t.Error(err)
	}
}
