package server

import (
	"container/list"
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// child is the further state of a namespace that a parent has made. dynamics.mu guards its fields, except the first
// two.
type child struct {
	parent *ParentNamespace // immutable
	ns     *Namespace       // immutable
	// users is the number of sockets that are connected or connecting, or whose disconnect handlers run.
	users int
	// kept means that the application has asked for it by name, and may hold it.
	kept bool
	// gone means that it was removed from the server.
	gone bool
	// place is its element in the list of children without users, or nil.
	place *list.Element
}

// dynamics has the namespaces that clients have made. Safe for concurrent use.
type dynamics struct {
	srv *Server
	// parents is an immutable list, which changes replace.
	parents atomic.Pointer[[]*ParentNamespace]

	mu sync.Mutex // guards what follows, and children; it comes before Server.mu and the locks of registries
	// count is the number of children. idle has those without users that are not kept, the one that has been idle for
	// longest first.
	count int
	idle  list.List
}

func (d *dynamics) addParent(p *ParentNamespace) {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := with(d.all(), p)
	d.parents.Store(&all)
}

func (d *dynamics) all() []*ParentNamespace {
	if p := d.parents.Load(); p != nil {
		return *p
	}
	return nil
}

// hold keeps a namespace while a client connects to it. It returns false if the namespace has been removed.
func (d *dynamics) hold(ns *Namespace) bool {
	if ns.child == nil {
		return true
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.use(ns.child)
}

// use is hold with the lock held.
func (d *dynamics) use(c *child) bool {
	if c.gone {
		return false
	}
	c.users++
	d.busy(c)
	return true
}

func (d *dynamics) busy(c *child) {
	if c.place != nil {
		d.idle.Remove(c.place)
		c.place = nil
	}
}

// keep keeps a namespace for good. It returns false if the namespace has been removed.
func (d *dynamics) keep(ns *Namespace) bool {
	if ns.child == nil {
		return true
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	c := ns.child
	if c.gone {
		return false
	}
	c.kept = true
	d.busy(c)
	return true
}

// drop ends a hold.
func (d *dynamics) drop(ns *Namespace) {
	c := ns.child
	if c == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if c.users--; c.users > 0 || c.kept {
		return
	}
	if d.srv.cfg.CleanupEmptyChildNamespaces {
		d.remove(c)
		return
	}
	c.place = d.idle.PushBack(c)
}

// remove removes a child without users. Called with the lock held.
func (d *dynamics) remove(c *child) {
	d.busy(c)
	c.gone = true
	d.count--
	d.srv.mu.Lock()
	delete(d.srv.spaces, c.ns.name)
	if c.ns.history != nil {
		c.ns.history.Close()
	}
	d.srv.mu.Unlock()
	c.parent.hooks.Disown(&c.ns.hooks)
	d.srv.node.unsubscribe(c.ns)
}

// claim returns the namespace of that name and holds it: a new child of the parent, or one that was made meanwhile. It
// returns nil if there is no room for another child.
func (d *dynamics) claim(p *ParentNamespace, name string) *Namespace {
	d.mu.Lock()
	defer d.mu.Unlock()
	srv := d.srv
	srv.mu.RLock()
	ns := srv.spaces[name]
	srv.mu.RUnlock()
	if ns != nil {
		if ns.child != nil {
			d.use(ns.child) // children go with the lock held: this one has not
		}
		return ns
	}
	if d.count >= srv.cfg.MaxDynamicNamespaces {
		oldest := d.idle.Front()
		if oldest == nil {
			return nil
		}
		d.remove(oldest.Value.(*child))
	}
	ns = newChild(p, name)
	srv.mu.Lock()
	defer srv.mu.Unlock()
	if made := srv.spaces[name]; made != nil {
		return made // the application's: children are made with d's lock held
	}
	srv.spaces[name] = ns
	p.hooks.Adopt(&ns.hooks)
	ns.child.users = 1
	d.count++
	_ = srv.node.subscribe(ns) // what fails is logged
	return ns
}

// find asks the parents for a namespace, off the loop, and holds it. It returns nil if no parent accepts the name, or
// if there is no room, which full reports.
func (d *dynamics) find(ctx context.Context, name string, auth Raw) (ns *Namespace, full bool) {
	for _, p := range d.all() {
		if ctx.Err() != nil {
			return nil, false
		}
		if !p.takes(ctx, name, auth) {
			continue
		}
		if ns = d.claim(p, name); ns == nil {
			d.srv.stats.namespacesFull.Add(1)
			d.srv.sio.Warn("no room for another dynamic namespace", "ns", name, "limit", d.srv.cfg.MaxDynamicNamespaces)
		}
		return ns, ns == nil
	}
	return nil, false
}

// takes calls the application's function; if it panics or ends its goroutine, it accepts nothing.
func (p *ParentNamespace) takes(ctx context.Context, name string, auth Raw) (ok bool) {
	defer func() {
		if v := recover(); v != nil {
			ok = false
			p.srv.stats.panics.Add(1)
			p.srv.sio.Error("the function of a parent namespace panicked", "ns", name, "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
		}
	}()
	return p.match(ctx, name, auth)
}

// len returns the number of children.
func (d *dynamics) len() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.count
}
