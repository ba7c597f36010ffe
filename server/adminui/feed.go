package adminui

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seed58c87869/siren/server"
)

// feed tells UIs of single sockets and events. It listens to the server only while there is a UI. Safe for concurrent
// use.
type feed struct {
	ui     *UI
	hidden map[string]bool // immutable
	// life is held while it begins and ends, and goes before mu.
	life sync.Mutex

	mu sync.Mutex // guards what follows. Events are emitted with it held, so a UI gets them in their order.
	on bool
	// hooks are the listeners of each namespace that the feed listens to.
	hooks map[*server.Namespace][]server.Registration
	// known are the sockets that UIs were told of.
	known map[socketKey]*entry
	// changes and events bound what UIs are told: changes of sockets and rooms, and events of clients.
	changes, events, bytes bucket
	// stale is set when a change was left out: UIs get the list of sockets again. listed is when they last got it.
	stale  bool
	listed time.Time
}

// socketKey finds a socket by its namespace and id.
type socketKey struct{ nsp, id string }

func keyOf(s *server.Socket) socketKey { return socketKey{s.Namespace().Name(), s.ID()} }

func newFeed(u *UI) *feed {
	f := &feed{ui: u, hidden: map[string]bool{}}
	for _, name := range u.o.Hide {
		f.hidden[strings.ToLower(name)] = true
	}
	return f
}

// begin starts to listen, if it does not yet.
func (f *feed) begin() {
	f.life.Lock()
	defer f.life.Unlock()
	f.mu.Lock()
	if f.on {
		f.mu.Unlock()
		return
	}
	f.on = true
	f.hooks, f.known = map[*server.Namespace][]server.Registration{}, map[socketKey]*entry{}
	f.changes, f.events = newBucket(f.ui.o.EventsPerSecond), newBucket(f.ui.o.EventsPerSecond)
	f.bytes = newBucket(f.ui.o.BytesPerSecond)
	f.stale, f.listed = false, time.Time{}
	f.mu.Unlock()
	f.listen(true)
}

// end stops to listen, unless a UI has come meanwhile.
func (f *feed) end() {
	f.life.Lock()
	defer f.life.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	select {
	case <-f.ui.stop:
	default:
		if f.ui.present.Load() > 0 {
			return
		}
	}
	if !f.on {
		return
	}
	f.on = false
	for _, hooks := range f.hooks {
		for _, r := range hooks {
			r.Remove()
		}
	}
	f.hooks, f.known = nil, nil
}

// listen listens to namespaces that are new, and takes over their sockets: quietly, when a list of all will follow. It
// forgets those that exist no more. The caller holds life.
func (f *feed) listen(quietly bool) {
	all := f.ui.srv.Namespaces()
	f.mu.Lock()
	exists := make(map[*server.Namespace]bool, len(all))
	var fresh []*server.Namespace
	for _, ns := range all {
		exists[ns] = true
		if f.hooks[ns] == nil && len(f.hooks)+len(fresh) < f.ui.o.MaxNamespaces {
			fresh = append(fresh, ns)
		}
	}
	for ns := range f.hooks {
		if !exists[ns] {
			delete(f.hooks, ns)
		}
	}
	for _, ns := range fresh {
		f.hooks[ns] = f.hook(ns)
	}
	f.mu.Unlock()
	for _, ns := range fresh {
		f.take(ns, quietly)
	}
}

// hook registers the listeners with a namespace. That of the UI itself is told of by the UI's own handlers, and its
// events are not told.
func (f *feed) hook(ns *server.Namespace) []server.Registration {
	hooks := []server.Registration{ns.OnRoom(func(e server.RoomEvent) { f.room(ns.Name(), e) })}
	if ns == f.ui.ns {
		return hooks
	}
	return append(hooks,
		ns.OnConnect(func(_ context.Context, s *server.Socket) error { f.connected(s); return nil }),
		ns.OnDisconnect(f.disconnected),
		ns.OnAny(func(_ context.Context, m *server.Message) { f.event("event_received", m.Socket(), m.Event(), m.Args()) }),
		ns.OnAnyOutgoing(func(s *server.Socket, event string, args []any) { f.event("event_sent", s, event, args) }))
}

// pageSize is the number of sockets that are taken over at a time.
const pageSize = 500

// take takes over the sockets that a namespace has.
func (f *feed) take(ns *server.Namespace, quietly bool) {
	ctx, cancel := context.WithTimeout(context.Background(), probeTime)
	defer cancel()
	for position := ""; ; {
		page, next, err := ns.Local().Page(ctx, position, pageSize)
		if err != nil {
			return // the server has ended, or its loops are too busy
		}
		f.mu.Lock()
		for _, s := range page {
			if f.on && f.known[keyOf(s)] == nil && s.Connected() && !f.add(s, quietly) {
				f.mu.Unlock()
				return // there are too many
			}
		}
		f.mu.Unlock()
		if position = next; position == "" {
			return
		}
	}
}

// add tells of a socket. It returns false if there are too many. The caller holds mu.
func (f *feed) add(s *server.Socket, quietly bool) bool {
	if len(f.known) >= f.ui.o.MaxSockets {
		f.ui.dropped.Add(1)
		return false
	}
	e := f.newEntry(s)
	f.known[keyOf(s)] = e
	nsp, id, now := s.Namespace().Name(), s.ID(), timestamp(time.Now())
	if !quietly {
		f.change("room_joined", nsp, id, id, now)
		f.change("socket_connected", e.serialize(), now)
	}
	for _, room := range s.Rooms() {
		if room != id && e.join(room) && !quietly {
			f.change("room_joined", nsp, room, id, now)
		}
	}
	return true
}

// connected tells of a socket that connects.
func (f *feed) connected(s *server.Socket) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.on {
		delete(f.known, keyOf(s)) // a UI that is the first one was found with the others
		f.add(s, false)
	}
}

// disconnected tells of a socket that has ended.
func (f *feed) disconnected(s *server.Socket, r server.Reason) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if e := f.known[keyOf(s)]; e != nil && e.s == s {
		f.remove(e, r.String())
	}
}

// remove tells of a socket that has ended. The caller holds mu.
func (f *feed) remove(e *entry, reason string) {
	key, now := keyOf(e.s), timestamp(time.Now())
	delete(f.known, key)
	f.change("socket_disconnected", key.nsp, key.id, reason, now)
	f.change("room_left", key.nsp, key.id, key.id, now)
	for room := range e.rooms {
		f.change("room_left", key.nsp, room, key.id, now)
	}
}

// room tells of a socket that joins or leaves a room. That of a socket which ends is told when it has.
func (f *feed) room(nsp string, ev server.RoomEvent) {
	if ev.Kind != server.SocketJoined && ev.Kind != server.SocketLeft {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	e := f.known[socketKey{nsp, ev.Socket}]
	if e == nil || !e.s.Connected() {
		return
	}
	now := timestamp(time.Now())
	switch {
	case ev.Kind == server.SocketJoined && e.join(ev.Room):
		f.change("room_joined", nsp, ev.Room, ev.Socket, now)
	case ev.Kind == server.SocketLeft && e.leave(ev.Room):
		f.change("room_left", nsp, ev.Room, ev.Socket, now)
	}
}

// event tells of an event that a client sent or received.
func (f *feed) event(kind string, s *server.Socket, event string, args []any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	f.events.fill(now)
	f.bytes.fill(now)
	if !f.on {
		return
	}
	if !f.events.has(1) || !f.bytes.has(1) {
		f.ui.dropped.Add(1)
		return
	}
	p, err := f.ui.srv.Prepare(kind, s.Namespace().Name(), s.ID(), slices.Concat([]any{event}, args), timestamp(now))
	if err != nil || !f.bytes.has(p.Size()) {
		f.ui.dropped.Add(1)
		return
	}
	f.events.take(1)
	f.bytes.take(p.Size())
	f.send(p)
}

// change tells of a change of sockets and rooms. One that is left out makes what UIs know stale. The caller holds mu.
func (f *feed) change(event string, args ...any) {
	f.changes.fill(time.Now())
	p, err := f.ui.srv.Prepare(event, args...)
	if err != nil || !f.changes.has(1) || !f.send(p) {
		f.stale = true
		f.ui.dropped.Add(1)
		return
	}
	f.changes.take(1)
}

// send sends an event to all UIs, those at other nodes too. It returns false, and counts that, if a loop is behind.
func (f *feed) send(p *server.Prepared) bool {
	_, err := f.ui.ns.EmitPrepared(p)
	return err == nil
}

// relistTime is the least time between two lists of all sockets that UIs get because theirs is stale.
const relistTime = 10 * time.Second

// scan looks for what no listener tells of: new namespaces, upgrades, and changes of sockets' data.
func (f *feed) scan() {
	f.life.Lock()
	f.listen(false)
	f.life.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range f.known {
		f.look(e)
	}
	now := time.Now()
	f.changes.fill(now)
	if f.stale && now.Sub(f.listed) >= relistTime && f.changes.has(f.ui.o.EventsPerSecond/2) {
		f.stale, f.listed = false, now
		if p, err := f.ui.srv.Prepare("all_sockets", f.here(nil)); err == nil {
			_, _ = f.ui.ns.Local().EmitPrepared(p)
		}
	}
}

// look tells what has changed of a socket. The caller holds mu.
func (f *feed) look(e *entry) {
	if !e.s.Connected() {
		// Its disconnect handler is about to run, except if a later connect handler has refused it.
		if e.gone {
			f.remove(e, server.ReasonServerLeft.String())
		}
		e.gone = true
		return
	}
	key := keyOf(e.s)
	if t := string(e.s.Transport()); t != e.transport {
		e.transport = t
		shared.Set(e.s, adminData{e.s.ClientID(), t})
		f.change("socket_updated", struct {
			ID        string `json:"id"`
			NSP       string `json:"nsp"`
			Transport string `json:"transport"`
		}{key.id, key.nsp, t})
	}
	if data := dataOf(e.s.Data()); !bytes.Equal(data.JSON, e.data.JSON) {
		e.data = data
		f.change("socket_updated", struct {
			ID   string     `json:"id"`
			NSP  string     `json:"nsp"`
			Data server.Raw `json:"data"`
		}{key.id, key.nsp, data})
	}
}

// list sends a UI the list of all sockets, those of other nodes too.
func (f *feed) list(ctx context.Context, s *server.Socket) {
	others := f.others(ctx)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.on {
		_ = s.Emit("all_sockets", f.here(others))
	}
}

// here are the sockets of this node, and those given, as many as a list may have. The caller holds mu.
func (f *feed) here(others []serialized) []serialized {
	out := []serialized{}
	size := 0
	add := func(s serialized) {
		n := len(s.Handshake) + len(s.Data.JSON) + len(s.NSP) + 128
		for _, room := range s.Rooms {
			n += len(room) + 3
		}
		if size+n > f.ui.o.MaxListBytes || len(out) >= f.ui.o.MaxSockets {
			f.ui.dropped.Add(1)
			return
		}
		size += n
		out = append(out, s)
	}
	for _, e := range f.known {
		add(e.serialize())
	}
	for _, s := range others {
		add(s)
	}
	slices.SortFunc(out, func(a, b serialized) int {
		return strings.Compare(a.NSP+"\x00"+a.ID, b.NSP+"\x00"+b.ID)
	})
	return out
}

// others are the sockets of other nodes, unless there are too many.
func (f *feed) others(ctx context.Context) (out []serialized) {
	ctx, cancel := context.WithTimeout(ctx, 2*probeTime)
	defer cancel()
	f.mu.Lock()
	namespaces := make([]*server.Namespace, 0, len(f.hooks))
	for ns := range f.hooks {
		namespaces = append(namespaces, ns)
	}
	f.mu.Unlock()
	for _, ns := range namespaces {
		n, _ := ns.Count(ctx) // of the nodes that answer
		if n <= ns.SocketCount() {
			continue // there are none
		}
		if n > f.ui.o.MaxSockets {
			f.ui.dropped.Add(uint64(n))
			continue
		}
		sockets, _ := ns.FetchSockets(ctx)
		for _, r := range sockets {
			if r.Local() == nil {
				out = append(out, f.elsewhere(ns.Name(), r))
			}
		}
	}
	return out
}

// timestamp is a time in the UI's form.
func timestamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
