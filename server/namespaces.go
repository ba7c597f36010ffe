package server

import (
	"slices"
	"strings"
)

// Namespaces returns the namespaces that there are now, sorted by name: those that the application named, and children
// of parent namespaces.
func (srv *Server) Namespaces() []*Namespace {
	all := srv.namespaces()
	slices.SortFunc(all, func(a, b *Namespace) int { return strings.Compare(a.name, b.name) })
	return all
}

// namespaces returns the namespaces in no order.
func (srv *Server) namespaces() []*Namespace {
	srv.mu.RLock()
	defer srv.mu.RUnlock()
	all := make([]*Namespace, 0, len(srv.spaces))
	for _, ns := range srv.spaces {
		all = append(all, ns)
	}
	return all
}

// IsChild reports whether a client named the namespace, of a ParentNamespace. There may be very many of these.
// Immutable.
func (ns *Namespace) IsChild() bool { return ns.child != nil }
