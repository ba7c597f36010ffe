package server

import (
	"context"
	"errors"
	"regexp"
)

// ParentNamespace stands for all namespaces whose names its function accepts. The first client that connects to such a
// name makes the namespace, a child, which has all registrations of the parent. Later additions and removals at the
// parent affect existing children too. A child's own registrations come after the parent's. Safe for concurrent use.
type ParentNamespace struct {
	registry
	match func(ctx context.Context, name string, auth Raw) bool
}

// OfFunc makes a parent for the namespaces that match accepts. When a client connects to an unknown namespace, the
// parents are asked in the order in which they were made, off the event loop and in the order of the client's connects.
// auth is the payload of its CONNECT, without JSON if there was none; ctx ends with the connection. Once a child
// exists, clients connect to it without a call of match: middleware decides whether a client may join. A function that
// panics accepts nothing. A name has at most 512 bytes.
func (srv *Server) OfFunc(match func(ctx context.Context, name string, auth Raw) bool) *ParentNamespace {
	need(match != nil, "OfFunc")
	p := &ParentNamespace{match: match}
	p.init(srv, "dynamic", nil)
	srv.dynamic.addParent(p)
	return p
}

// OfRegexp is OfFunc for the names that the expression matches. Anchor it at both ends (^ and $) to match whole names.
func (srv *Server) OfRegexp(names *regexp.Regexp) *ParentNamespace {
	need(names != nil, "OfRegexp")
	return srv.OfFunc(func(_ context.Context, name string, _ Raw) bool { return names.MatchString(name) })
}

// Children returns the parent's present namespaces, in no order.
func (p *ParentNamespace) Children() []*Namespace { return p.hooks.Heirs() }

// Emit broadcasts an event to all sockets of all children; see ParentOperator.Emit.
func (p *ParentNamespace) Emit(event string, args ...any) (int, error) {
	return p.all().Emit(event, args...)
}

// EmitPrepared broadcasts a prepared event to all sockets of all children.
func (p *ParentNamespace) EmitPrepared(e *Prepared) (int, error) { return p.all().EmitPrepared(e) }

func (p *ParentNamespace) all() ParentOperator { return ParentOperator{parent: p} }

// To selects the sockets in any of the rooms of each child.
func (p *ParentNamespace) To(rooms ...string) ParentOperator { return p.all().To(rooms...) }

// In is To.
func (p *ParentNamespace) In(rooms ...string) ParentOperator { return p.To(rooms...) }

// Except selects all sockets except those in any of the rooms.
func (p *ParentNamespace) Except(rooms ...string) ParentOperator { return p.all().Except(rooms...) }

// Volatile selects all sockets that can get the event at once.
func (p *ParentNamespace) Volatile() ParentOperator { return p.all().Volatile() }

// Local selects all sockets of this node.
func (p *ParentNamespace) Local() ParentOperator { return p.all().Local() }

// ParentOperator selects the receivers of a broadcast to all children, as an Operator does for one namespace. An
// immutable value, safe to share and to keep.
type ParentOperator struct {
	parent *ParentNamespace
	// op has no namespace; it is used for each child in turn.
	op Operator
}

// To is Operator.To.
func (o ParentOperator) To(rooms ...string) ParentOperator { return o.with(o.op.To(rooms...)) }

// In is To.
func (o ParentOperator) In(rooms ...string) ParentOperator { return o.To(rooms...) }

// Except is Operator.Except.
func (o ParentOperator) Except(rooms ...string) ParentOperator { return o.with(o.op.Except(rooms...)) }

// Volatile is Operator.Volatile.
func (o ParentOperator) Volatile() ParentOperator { return o.with(o.op.Volatile()) }

// Local is Operator.Local.
func (o ParentOperator) Local() ParentOperator { return o.with(o.op.Local()) }

func (o ParentOperator) with(op Operator) ParentOperator {
	o.op = op
	return o
}

// Emit broadcasts an event to the present children. Its arguments are encoded once. The result is the sum of the
// results of Operator.Emit. Errors: ErrReserved and ErrEncode, when nobody gets it; else the joined errors of the
// children that it could not be sent to. The others have it.
func (o ParentOperator) Emit(event string, args ...any) (int, error) {
	e, err := o.parent.srv.Prepare(event, args...)
	if err != nil {
		return 0, err
	}
	return o.EmitPrepared(e)
}

// EmitPrepared broadcasts a prepared event, as Emit does.
func (o ParentOperator) EmitPrepared(e *Prepared) (n int, err error) {
	var errs []error
	for _, ns := range o.parent.Children() {
		op := o.op
		op.ns = ns
		sent, err := op.EmitPrepared(e)
		n += sent
		if err != nil {
			errs = append(errs, err)
		}
	}
	return n, errors.Join(errs...)
}
