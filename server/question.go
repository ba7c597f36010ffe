package server

import (
	"context"

	"github.com/seed58c87869/siren/server/internal/collect"
)

// Answers is the result of asking many sockets. Immutable.
type Answers struct {
	// Replies are those that came, in the order in which they did; Reply.SocketID says whose each is.
	Replies []Reply
	// Missing is the number of further clients that were asked, but have left, were too late, or were not waited for
	// because of a limit.
	Missing int
}

// AskLimits bounds what AskAll waits for and stores. The zero value has no limits. Immutable.
type AskLimits struct {
	// Replies is the number of replies that ends the wait; 0 waits for all.
	Replies int
	// Bytes bounds the sum of the replies' encoded sizes. A reply that does not fit ends the wait, and counts as
	// missing.
	Bytes int
}

// AskAll broadcasts an event with an acknowledgement. It returns the replies that arrived until all clients have
// answered or left, a limit was reached, or the time was over: the Operator's time-out, or else ctx's, or else
// Config.AckTimeout. Missing replies are not an error. Errors are those of Operator.Emit (nobody got the event),
// ErrTooManyAcks, ErrOnLoop and ErrClosed. Sockets whose connect handlers still run get the event, and are not waited
// for.
func (o Operator) AskAll(ctx context.Context, limits AskLimits, event string, args ...any) (Answers, error) {
	var got Answers
	if o.ns.srv.onLoop() {
		return got, ErrOnLoop
	}
	a := newAsk(o.ns)
	a.Blocks()
	if err := a.ask(ctx, o, event, args); err != nil {
		return got, err
	}
	defer a.Finish(collect.ErrAbandoned, collect.OffLoop)
	enough, bytes := false, 0
	for {
		replies, over, _ := a.take()
		for _, r := range replies {
			bytes += r.size()
			enough = enough || limits.Bytes > 0 && bytes > limits.Bytes || limits.Replies > 0 && len(got.Replies) >= limits.Replies
			if !enough {
				got.Replies = append(got.Replies, r)
			}
		}
		enough = enough || limits.Replies > 0 && len(got.Replies) >= limits.Replies
		asked, known := a.asked()
		if over || enough && known {
			got.Missing = max(asked-len(got.Replies), 0)
			return got, nil
		}
		a.Next(ctx)
	}
}

// asked returns how many clients were asked, and whether that is known: all loops have delivered.
func (a *ask) asked() (n int, known bool) {
	a.Lock()
	defer a.Unlock()
	n = int(a.Expected)
	if a.Others != nil {
		n += max(a.Others.Expected, 0)
	}
	return n, a.Loops == 0
}

// size returns what a reply counts for.
func (r Reply) size() int { return r.answer.Args.Bytes() }
