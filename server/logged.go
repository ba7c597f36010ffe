package server

import (
	"errors"

	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/room/cluster"
	"github.com/seed58c87869/siren/server/internal/collect"
	"github.com/seed58c87869/siren/server/internal/history"
	"github.com/seed58c87869/siren/server/internal/packets"
)

// log returns the log of the cluster's broker; nil without one.
func (n *node) log() cluster.Log {
	if n != nil {
		if log, ok := n.adapter.(cluster.Log); ok && log.HasLog() {
			return log
		}
	}
	return nil
}

// logged reports whether clients of the namespace recover at any node of the cluster. Events then reach this node's
// sockets when the log returns them.
func (ns *Namespace) logged() bool { return ns.history.Logged() }

// behind has fn called behind the events that were emitted before and that the log has not returned, on another
// goroutine. It returns false, and does not take fn, if there are none. Callers on hot paths ask
// logged first: fn costs an allocation even if it is not taken.
func (ns *Namespace) behind(fn func()) bool {
	return ns.logged() && ns.srv.node.log().InOrder(ns.name, fn)
}

// inOrder calls fn behind the events that this node emitted before. Its error is lost if it has to wait.
func (o Operator) inOrder(fn func() error) error {
	if !o.foreign && o.ns.logged() && o.ns.behind(func() { _ = o.ns.srv.node.patiently(fn) }) {
		return nil
	}
	return fn()
}

// awaitLog waits until the log has returned what was emitted, with the acknowledgements behind it. Adapters hand over
// what is overdue; the time is limited all the same.
func (srv *Server) awaitLog() {
	all := srv.namespaces()
	collect.AwaitAll(len(all), func(i int, fn func()) bool { return all[i].behind(fn) },
		min(srv.cfg.Recovery.RestoreTimeout, srv.cfg.CloseTimeout/2))
}

// frameOf encodes an event of the log, with its offset as the last argument.
func (ns *Namespace) frameOf(m *cluster.Message, offset string) (*eio.Frame, error) {
	return ns.srv.enc.FrameOf(ns.name, m.Data, offset)
}

// deliverLogged emits an event of the log to this node's sockets.
func (o Operator) deliverLogged(m *cluster.Message) error {
	var sent *eio.Frame
	err := o.ns.history.Deliver(m, func(f *eio.Frame) error {
		o.flags.mark(f)
		n, err := o.sendHere(f, m.Data)
		if n > 0 {
			sent = f
		}
		return err
	})
	if sent != nil {
		o.ns.srv.host.Engine().Deflate(sent) // not under the history's lock
	}
	return err
}

// emitLogged publishes an event to the log. What stays on this node, and what the log does not take, is delivered in
// the same order.
func (o Operator) emitLogged(data Raw) (n int, err error) {
	m := &cluster.Message{Kind: cluster.Broadcast, Namespace: o.ns.name, Data: data, Target: o.clusterTarget(0)}
	b := &broadcast{ns: o.ns}
	if o.resolve(&b.target) {
		b.measure()
	}
	if n = int(b.posted); !o.local {
		if err = o.ns.srv.node.publish(m); err == nil {
			return n, nil
		}
	}
	m.From = ""
	here := targetOperator(o.ns, m)
	return n, errors.Join(err, o.inOrder(func() error { return here.deliverLogged(m) }))
}

// emitLogged publishes an event to the socket, which may have gone and come back elsewhere.
func (s *Socket) emitLogged(r *recovery, fill func(p *packets.Payload) error, flags emitFlags) error {
	if s.closed.Load() && !s.ns.history.MayReturn(r.pid) {
		return ErrClosed
	}
	o := s.ns.To(s.id)
	o.flags, o.local = flags, flags.volatile // nobody gets it elsewhere
	_, err := o.emitKept(fill)
	return err
}

// save stores the session of a socket that may come back, off the loop.
func (s *Socket) save(a *history.Away) {
	if a == nil || !s.passed && !s.Recovered() {
		return
	}
	if err := s.ns.history.Save(a, s.Data()); err != nil {
		s.ns.srv.sio.Warn("session is not saved", append(s.about("recovery"), "err", err)...)
	}
}
