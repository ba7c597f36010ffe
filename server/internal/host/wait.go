package host

import (
	"context"

	"github.com/seed58c87869/siren/poller"
)

// Done is closed when the Host has ended: when Close has finished, or when the event loops have failed. Wait then
// returns the reason.
func (h *Host) Done() <-chan struct{} { return h.done }

// Wait waits for the end, whether the Host listens yet or not. It returns the error of Close, or of the event loops,
// which end by themselves when the system has no more resources for them. A Host whose loops have failed serves nobody;
// Close releases what it holds.
func (h *Host) Wait() error {
	<-h.done
	return h.endErr
}

// WaitOr is Wait until ctx ends, when it returns what close returns.
func (h *Host) WaitOr(ctx context.Context, close func() error) error {
	select {
	case <-ctx.Done():
		return close()
	case <-h.done:
		return h.Wait()
	}
}

// end ends the Host. The first call sets the reason.
func (h *Host) end(err error) {
	h.ended.Do(func() {
		h.endErr = err
		close(h.done)
	})
}

// watch waits for the event loops and ends the server if they fail. It ignores an end by Close, which reports that
// itself.
func (h *Host) watch(p *poller.Engine) {
	<-p.Done()
	if err := p.Err(); err != nil && h.state.Load() < ending {
		h.cfg.Log.Error("the event loops have failed", "err", err)
		h.cfg.Failed()
		h.end(err)
	}
}
