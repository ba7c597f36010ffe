package api

import (
	"errors"
	"fmt"
	"time"

	"github.com/seed58c87869/siren/cmd/siren/node/problem"
	"github.com/seed58c87869/siren/server"
)

// target is the namespace of a request and whom it selects there. ns is nil when nobody can be meant: there is no client
// in the namespace now, or the lists are empty.
func (a *API) target(x *exchange) (ns *server.Namespace, o server.Operator, err error) {
	name := x.namespace
	if name == "" {
		name = "/"
	}
	if !a.cfg.Exists(name) {
		return nil, o, problem.Field(problem.UnknownNamespace, x.path("namespace"), "there is no such namespace")
	}
	if ns = a.cfg.Server.Lookup(name); ns == nil || x.nobody() {
		return nil, o, nil
	}
	o = ns.To(x.rooms...)
	if len(x.users) > 0 {
		o = o.Users(x.users...)
	}
	if len(x.except) > 0 {
		o = o.Except(x.except...)
	}
	return ns, o, nil
}

// event checks the event of a request and makes its arguments.
func (a *API) event(x *exchange) ([]any, error) {
	if a.reserved[x.event] {
		return nil, problem.Field(problem.ReservedEvent, x.path("event"), "the node uses this event itself")
	}
	var args []any
	size := len(x.event) + len(`[""]`)
	if x.args != nil {
		more, p := 0, (*problem.Problem)(nil)
		if args, more, p = arguments(x.args); p != nil {
			p.Field = x.path(p.Field)
			return nil, p
		}
		size += more
	}
	if size > a.cfg.MaxEvent {
		return nil, tooLarge(a.cfg.MaxEvent)
	}
	return args, nil
}

func tooLarge(most int) *problem.Problem {
	return problem.New(problem.TooLarge, fmt.Sprintf("the event is larger than %d bytes, half of what may wait for one client", most))
}

// send emits the event of a request.
func (a *API) send(x *exchange) (n int, exact bool, err error) {
	ns, o, err := a.target(x)
	if err != nil {
		return 0, false, err
	}
	args, err := a.event(x)
	if err != nil {
		return 0, false, err
	}
	event, err := a.cfg.Server.Prepare(x.event, args...) // also to nobody: what cannot be sent is an error
	if err != nil {
		return 0, false, err
	}
	if event.Size() > a.cfg.MaxEvent {
		return 0, false, tooLarge(a.cfg.MaxEvent)
	}
	if ns == nil {
		return 0, len(x.rooms) == 1 && len(x.users)+len(x.except) == 0, nil
	}
	if x.volatile {
		o = o.Volatile()
	}
	if x.local {
		o = o.Local()
	}
	return o.EmitPreparedCounted(x.ctx, event)
}

// emit is the call emit.
func (a *API) emit(x *exchange) error {
	n, exact, err := a.send(x)
	if err != nil {
		return err
	}
	x.count = n
	x.out = appendInt(append(x.out, `{"count":`...), n)
	x.out = appendBool(append(x.out, `,"exact":`...), exact)
	x.out = append(x.out, '}')
	return nil
}

// batch is the call emit/batch: the events are sent in their order.
func (a *API) batch(x *exchange) error {
	x.out = append(x.out, `{"results":[`...)
	for i := range x.emits {
		e := &x.emits[i]
		n, err := 0, e.bad
		if err == nil {
			one := exchange{request: &e.request, ctx: x.ctx, call: x.call, caller: x.caller, index: i}
			if n, _, err = a.send(&one); err != nil {
				p := toProblem(err, one.path)
				if p == nil {
					return err
				}
				err = p
			}
		}
		if i > 0 {
			x.out = append(x.out, ',')
		}
		var p *problem.Problem
		if errors.As(err, &p) {
			x.out = append(p.Append(append(x.out, `{"error":`...), true), '}')
			continue
		}
		x.count += n
		x.out = append(appendInt(append(x.out, `{"count":`...), n), '}')
	}
	x.out = append(x.out, `]}`...)
	return nil
}

// repliesBytes is the most that all replies of a call together may be.
const repliesBytes = 4 << 20

// call is the call of that name.
func (a *API) call(x *exchange) error {
	if x.timeout > timeoutMax*time.Millisecond {
		return problem.Field(problem.BadField, "timeout_ms", notWithin(1, timeoutMax))
	}
	ns, o, err := a.target(x)
	if err != nil {
		return err
	}
	args, err := a.event(x)
	if err != nil {
		return err
	}
	limits := server.AskLimits{Bytes: repliesBytes}
	if x.given.has(fieldLimit) {
		limits.Replies = x.limit
	}
	var got server.Answers
	if ns != nil {
		if x.volatile {
			o = o.Volatile()
		}
		if x.local {
			o = o.Local()
		}
		if got, err = o.Timeout(x.timeout).AskAll(x.ctx, limits, x.event, args...); err != nil {
			return err
		}
	}
	x.count = len(got.Replies)
	x.out = append(x.out, `{"replies":[`...)
	for i, r := range got.Replies {
		if i > 0 {
			x.out = append(x.out, ',')
		}
		x.out = appendString(append(x.out, `{"socket":`...), r.SocketID())
		x.out = append(x.out, `,"args":[`...)
		for j := range r.Len() {
			if j > 0 {
				x.out = append(x.out, ',')
			}
			x.out = appendRaw(x.out, r.Arg(j))
		}
		x.out = append(x.out, `]}`...)
	}
	x.out = appendInt(append(x.out, `],"missing":`...), got.Missing)
	x.out = append(x.out, '}')
	return nil
}
