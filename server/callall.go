package server

import (
	"context"
	"iter"

	"github.com/seed58c87869/siren/server/internal/collect"
)

// Audience is whom CallAll asks: an Operator, or all sockets of a Namespace.
type Audience interface {
	// Requests is CallAll, and yields the whole answers.
	Requests(ctx context.Context, event string, args ...any) iter.Seq2[Reply, error]
}

var (
	_ Audience = Operator{}
	_ Audience = (*Namespace)(nil)
)

// CallAll broadcasts an event and yields the first argument of each client's acknowledgement, decoded, as they arrive;
// an answer without arguments is the zero value. An answer that cannot be decoded is yielded as an error that wraps
// ErrDecode, and the iteration continues. If all clients have answered, it ends. Otherwise the last element is an
// error: a *MissingError with the number of missing clients, which wraps ErrTimeout, the cause of ctx, or ErrClosed if
// all missing clients have left. Without receivers it ends at once. An error of the broadcast itself is yielded alone:
// those of Operator.Emit, and ErrTooManyAcks.
//
// The time-out is the Operator's, or else ctx's, or else Config.AckTimeout. Each loop over the result broadcasts the
// event when it begins; leaving it early releases everything. Answers that the loop has not reached are kept, at most
// one for each client. On an event loop CallAll yields ErrOnLoop. Clients of other nodes are asked too.
//
// Sockets whose connect handlers still run get the event after their CONNECT, and are not waited for: they cannot
// answer before these handlers end, and one of them may be the caller.
func CallAll[T any](ctx context.Context, to Audience, event string, args ...any) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for r, err := range to.Requests(ctx, event, args...) {
			var out T
			if err == nil {
				err = r.Decode(&out)
			}
			if !yield(out, err) {
				return
			}
		}
	}
}

// Requests is CallAll, and yields the whole answers.
func (o Operator) Requests(ctx context.Context, event string, args ...any) iter.Seq2[Reply, error] {
	return func(yield func(Reply, error) bool) {
		if o.ns.srv.onLoop() {
			yield(Reply{}, ErrOnLoop)
			return
		}
		a := newAsk(o.ns)
		a.Blocks()
		if err := a.ask(ctx, o, event, args); err != nil {
			yield(Reply{}, err)
			return
		}
		defer a.Finish(collect.ErrAbandoned, collect.OffLoop)
		for {
			replies, over, err := a.take()
			for _, r := range replies {
				if !yield(r, nil) {
					return
				}
			}
			if over {
				if err != nil {
					yield(Reply{}, err)
				}
				return
			}
			a.Next(ctx)
		}
	}
}

// EmitAck broadcasts an event and calls done once: when all clients have acknowledged it, or with the answers so far
// and the error that CallAll would yield last. done runs on its own goroutine and may block. If EmitAck itself returns
// an error, nobody got the event and done is not called. EmitAck does not wait, so it may be used on event loops.
// Sockets of this node whose connect handlers still run are asked too; they answer after their CONNECT.
func (o Operator) EmitAck(ctx context.Context, event string, done func(replies []Reply, err error), args ...any) error {
	need(done != nil, "EmitAck")
	a := newAsk(o.ns)
	a.done, a.waiting = done, true
	return a.ask(ctx, o, event, args)
}

// Requests is CallAll with the whole answers, for all sockets of the namespace.
func (ns *Namespace) Requests(ctx context.Context, event string, args ...any) iter.Seq2[Reply, error] {
	return ns.all().Requests(ctx, event, args...)
}

// EmitAck broadcasts an event to all sockets of the namespace and has done called with their acknowledgements; see
// Operator.EmitAck.
func (ns *Namespace) EmitAck(ctx context.Context, event string, done func(replies []Reply, err error), args ...any) error {
	return ns.all().EmitAck(ctx, event, done, args...)
}
