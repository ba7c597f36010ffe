package node

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/seed58c87869/siren/server"
)

// space is a namespace of the node with its rule. Safe for concurrent use.
type space struct {
	ns *server.Namespace
	// rule is nil when the namespace does not exist any more.
	rule atomic.Pointer[rule]
	// live counts its sockets.
	live liveCount
	// users is the number of its sockets. Guarded by spaces.mu.
	users int
}

func newSpace(ns *server.Namespace, r *rule) *space {
	sp := &space{ns: ns}
	sp.rule.Store(r)
	sp.live.publish = func(n int) {
		if r := sp.rule.Load(); r != nil && r.Presence {
			_, _ = ns.Local().Emit(countEvent, n) // other nodes tell their own
		}
	}
	return sp
}

// spaces are the namespaces of a node. Those that a rule names are there from the start; those of patterns are made by
// the clients that connect to them, as children of one ParentNamespace. Safe for concurrent use.
type spaces struct {
	node   *Node
	parent *server.ParentNamespace
	// rules are those in force. Written with mu held.
	rules atomic.Pointer[rules]
	// children has the *space of each child of parent with sockets, by its *server.Namespace. Events of clients read it
	// without a lock.
	children sync.Map

	mu sync.Mutex // guards what follows, and changes of children
	// named are the namespaces that a rule names, or once named.
	named map[string]*space
}

func newSpaces(n *Node) *spaces {
	s := &spaces{node: n, named: map[string]*space{}}
	s.rules.Store(&rules{})
	s.parent = n.srv.OfFunc(func(_ context.Context, name string, _ server.Raw) bool {
		return s.rules.Load().find(name) != nil
	})
	s.serve(s.parent, s.child)
	return s
}

// serve registers everything with a namespace, or with the parent. of finds the space of a namespace; nil is one
// without sockets.
func (s *spaces) serve(on server.Space, of func(ns *server.Namespace) *space) {
	s.node.gate.Serve(on, s.gateRuleOf)
	on.OnConnect(func(_ context.Context, sock *server.Socket) error {
		err := s.enter(sock)
		if err != nil {
			s.node.gate.Abandon(sock) // the gate has let it in
		}
		return err
	})
	on.OnDisconnect(func(sock *server.Socket, _ server.Reason) { s.leave(sock.Namespace()) })
	s.node.handleEvents(on, of)
}

// errNoNamespace is what the server says of a namespace that does not exist.
var errNoNamespace = server.Refuse("Invalid namespace", nil)

// enter counts a socket that connects. The namespace may have lost its rule since the middleware ran, which does not
// run for sockets that come back.
func (s *spaces) enter(sock *server.Socket) error {
	n, presence, ok := s.count(sock.Namespace())
	if !ok {
		return errNoNamespace
	}
	if presence {
		_ = sock.Emit(countEvent, n) // to a client that is gone already it does not matter
	}
	return nil
}

// count counts one socket more. Whoever is counted is reached by the changes of rules that come later.
func (s *spaces) count(ns *server.Namespace) (n int, presence, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sp := s.find(ns)
	if sp == nil {
		sp = newSpace(ns, s.rules.Load().find(ns.Name()))
	}
	r := sp.rule.Load()
	if r == nil {
		return 0, false, false
	}
	if sp != s.named[ns.Name()] {
		s.children.Store(ns, sp)
	}
	sp.users++
	return sp.live.add(1, r.Presence), r.Presence, true
}

// find returns the space of a namespace with sockets, or that a rule names; else nil. Called with the lock held.
func (s *spaces) find(ns *server.Namespace) *space {
	if sp := s.named[ns.Name()]; sp != nil {
		return sp
	}
	return s.child(ns)
}

// child returns the space of a child with sockets, else nil.
func (s *spaces) child(ns *server.Namespace) *space {
	if sp, ok := s.children.Load(ns); ok {
		return sp.(*space)
	}
	return nil
}

// leave counts one socket less.
func (s *spaces) leave(ns *server.Namespace) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sp := s.find(ns)
	if sp == nil {
		return
	}
	r := sp.rule.Load()
	sp.live.add(-1, r != nil && r.Presence)
	if sp.users--; sp.users == 0 && sp != s.named[ns.Name()] {
		s.children.Delete(ns)
	}
}

// apply puts rules in force: namespaces that they name are made, those that have no rule any more lose their sockets.
func (s *spaces) apply(rs *rules) error {
	gone := s.change(rs)
	for _, sp := range gone {
		if err := sp.ns.DisconnectSockets(false); err != nil {
			s.node.log.Error("the sockets of a namespace without a rule stay", "ns", sp.ns.Name(), "err", err)
		}
	}
	limits := server.NamespaceConfig{MaxRooms: rs.roomsMax}
	err := s.parent.Configure(limits)
	for _, sp := range s.all() {
		if err == nil {
			err = sp.ns.Configure(limits)
		}
	}
	return err
}

// change is apply under the lock. It returns the namespaces that have lost their rule.
func (s *spaces) change(rs *rules) (gone []*space) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rules.Store(rs)
	for name := range rs.byName {
		if s.named[name] == nil {
			s.name(name)
		}
	}
	each := func(sp *space) {
		r := rs.find(sp.ns.Name())
		old := sp.rule.Swap(r)
		switch {
		case r == nil && old != nil:
			gone = append(gone, sp)
		case r != nil && r.Presence && (old == nil || !old.Presence):
			sp.live.add(0, true)
		}
	}
	for _, sp := range s.named {
		each(sp)
	}
	s.children.Range(func(_, sp any) bool { each(sp.(*space)); return true })
	return gone
}

// name makes a namespace that a rule names. One that a client has made already, as a child, keeps the parent's
// handlers. Called with the lock held.
func (s *spaces) name(name string) {
	ns := s.node.srv.Of(name)
	if ns.IsChild() {
		sp := s.find(ns)
		if sp == nil {
			sp = newSpace(ns, nil)
			s.children.Store(ns, sp)
		}
		s.named[name] = sp
		return
	}
	sp := newSpace(ns, nil)
	s.named[name] = sp
	s.serve(ns, func(*server.Namespace) *space { return sp })
}

// all returns the namespaces that rules name.
func (s *spaces) all() []*space {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]*space, 0, len(s.named))
	for _, sp := range s.named {
		out = append(out, sp)
	}
	return out
}

// Namespace returns the namespace of that name for calls of operators. ok tells whether a rule allows it; ns is nil
// when it is one of a pattern that nobody has connected to.
func (n *Node) Namespace(name string) (ns *server.Namespace, ok bool) {
	if n.spaces.rules.Load().find(name) == nil {
		return nil, false
	}
	return n.srv.Lookup(name), true
}
