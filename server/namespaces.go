package server

import (
	"slices"
	"strings"
)

// Namespaces returns the namespaces that there are now, sorted by name: those that the application named, and children
// of parent namespaces.
func (srv *Server) Namespaces() []*Namespace {
	srv.mu.RLock()
	all := make([]*Namespace, 0, len(srv.spaces))
	for _, ns := range srv.spaces {
		all = append(all, ns)
	}
	srv.mu.RUnlock()
	slices.SortFunc(all, func(a, b *Namespace) int { return strings.Compare(a.name, b.name) })
	return all
}

// IsChild reports whether a client named the namespace, of a ParentNamespace. There may be very many of these.
// Immutable.
func (ns *Namespace) IsChild() bool { return ns.child != nil }
