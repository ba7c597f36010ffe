package broker

import (
	"cmp"
	"context"
	"fmt"

	"github.com/seed58c87869/siren/room/cluster"
)

// BatchMax and batchBytesMax bound what is sent at once: enough that a round trip hardly counts.
const (
	BatchMax      = 512
	batchBytesMax = 1 << 20
)

// Send hands what waits in the outbox to write, with the keeper's present link, until ctx ends. write has the batch
// until it returns. It calls Outbox.Sent, then or later.
func Send[L Link](ctx context.Context, k *Keeper[L], o *Outbox, write func(l L, batch []Outgoing)) {
	var batch []Outgoing
	for {
		wait := k.linked
		if l := k.link.Load(); l != nil {
			if batch = o.Take(batch[:0], BatchMax, batchBytesMax); len(batch) > 0 {
				write(*l, batch)
				clear(batch)
				continue
			}
			wait = o.Wake
		}
		select {
		case <-ctx.Done():
			return
		case <-wait:
		}
	}
}

// Flush waits until the broker has got what was put into the outbox before. If some of that was dropped meanwhile, it
// returns an error: ErrDown, or one for an outcome that is not known. Other errors: ErrClosed, also once ended is
// closed, and the cause of ctx.
func (s *Status) Flush(ctx context.Context, o *Outbox, ended <-chan struct{}) error {
	if s.State() == cluster.Closed {
		return cluster.ErrClosed
	}
	before := s.Drops()
	select {
	case <-o.Empty():
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-ended:
		return cluster.ErrClosed
	}
	if n := s.Drops() - before; n > 0 {
		h, _ := s.Get()
		return fmt.Errorf("%w: %d messages were dropped: %w", cluster.ErrDown, n, cmp.Or(h.Err, ErrEnded))
	}
	return nil
}
