package server

import (
	"context"
	"slices"

	"github.com/seed58c87869/siren/server/internal/history"
	"github.com/seed58c87869/siren/server/internal/tally"
	"github.com/seed58c87869/siren/session"
)

// asking has the namespaces that a client wants to join and that parents are being asked for. It exists only while
// there are any. Loop-owned, except ctx and the inbox.
type asking struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	inbox  session.Inbox
	names  []string
}

// ask asks the parents for the namespace of a CONNECT packet, unless ns has it, and the cluster for the session with
// which the client comes back.
func (c *client) ask(name, auth string, ns *Namespace) {
	j := c.join()
	if j.asking == nil {
		j.asking = new(asking)
		j.asking.ctx, j.asking.cancel = context.WithCancelCause(context.Background())
	}
	q := &question{c: c, a: j.asking, name: name, auth: auth, ns: ns}
	q.a.names = append(q.a.names, q.name)
	q.a.inbox.PutAlways(q, &c.srv.inbox)
}

// asked returns the asking of the client, or nil.
func (c *client) asked() *asking {
	if c.joins == nil {
		return nil
	}
	return c.joins.asking
}

// asks reports whether the client waits for that namespace.
func (c *client) asks(ns []byte) bool {
	a := c.asked()
	return a != nil && slices.Contains(a.names, string(ns))
}

// joining returns the number of namespaces that the client has joined or wants to join.
func (c *client) joining() int {
	if a := c.asked(); a != nil {
		return c.sockets.Len() + len(a.names)
	}
	return c.sockets.Len()
}

// stopAsking ends the questions, with the client or when the last one is answered.
func (c *client) stopAsking(cause error) {
	if a := c.asked(); a != nil {
		a.cancel(cause)
		c.joins.asking = nil
		c.joined()
	}
}

// question is the job of asking the parents for one namespace, and then the task that takes the answer to the loop. It
// belongs to one of the two at a time.
type question struct {
	c          *client
	a          *asking
	name, auth string
	ns         *Namespace
	back       *history.Recalled
	full       bool
}

// Do implements session.Job. It posts an answer even if the function that is asked panics or ends its goroutine.
func (q *question) Do() {
	defer func() { q.c.loop().Post(q) }()
	var auth Raw
	if q.auth != "" {
		auth.JSON = []byte(q.auth)
	}
	if q.ns == nil {
		q.ns, q.full = q.c.srv.dynamic.find(q.a.ctx, q.name, auth)
	}
	if pid, after := history.Asked(q.auth); pid != "" && q.ns != nil && q.ns.logged() && !q.c.old() {
		ctx, cancel := context.WithTimeout(q.a.ctx, q.c.srv.cfg.Recovery.RestoreTimeout)
		defer cancel()
		q.back = q.ns.history.Recall(ctx, pid, after)
	}
}

// Run implements task. The client may have gone meanwhile.
func (q *question) Run(int) {
	c := q.c
	defer c.sess.EndOnPanic()
	if c.asked() != q.a {
		if q.ns != nil {
			q.ns.history.PutBack(q.back)
			c.srv.dynamic.drop(q.ns)
		}
		return
	}
	i := slices.Index(q.a.names, q.name)
	if q.a.names = slices.Delete(q.a.names, i, i+1); len(q.a.names) == 0 {
		c.stopAsking(nil)
	}
	switch {
	case q.ns != nil:
		c.beginSocket(q.ns, q.auth, q.back)
	case q.full:
		c.srv.tally.Dynamic.Connect(c.shard(), tally.Refused)
		c.send(c.refusal(q.name, namespacesFull))
	default:
		c.srv.tally.Unknown.Connect(c.shard(), tally.Refused)
		c.send(c.srv.enc.ConnectError(q.name, invalidNamespace))
	}
}
