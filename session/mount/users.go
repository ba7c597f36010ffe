package mount

import "context"

// enter counts a request. It returns false when the Handler is closed.
func (h *Handler) enter() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return false
	}
	h.users++
	h.visits++
	return true
}

// exit counts off a request.
func (h *Handler) exit() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.visits--
	h.leaveLocked()
}

// more counts another goroutine of a user, even if the Handler is closed.
func (h *Handler) more() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.users++
}

// leave counts off a goroutine of a wire.
func (h *Handler) leave() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.leaveLocked()
}

// leaveLocked counts off a user. After Close, the last one closes the channel. Called with the lock held.
func (h *Handler) leaveLocked() {
	if h.users--; h.users == 0 && h.idle != nil {
		close(h.idle)
	}
}

func (h *Handler) isClosed() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.closed
}

// Visiting returns the number of requests that are being served.
func (h *Handler) Visiting() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.visits
}

// Bridged returns the number of open WebSockets that no event loop watches.
func (h *Handler) Bridged() int { return int(h.wires.Load()) }

// done returns a channel that Close closes.
func (h *Handler) done() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.doneLocked()
}

// doneLocked is done with the lock held.
func (h *Handler) doneLocked() chan struct{} {
	if h.quit == nil {
		h.quit = make(chan struct{})
	}
	return h.quit
}

// add registers a wire. It returns false when the Handler is closed.
func (h *Handler) add(w *wire) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return false
	}
	if h.open == nil {
		h.open = make(map[*wire]struct{})
	}
	h.open[w] = struct{}{}
	h.users++
	return true
}

func (h *Handler) remove(w *wire) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.open, w)
}

// Close refuses new requests and waits until the present ones and the bridged WebSockets have ended, or ctx ends. Then
// it cuts the rest. It returns the number of requests that it has cut; the counters of the loops have WebSockets with
// unsent output. It is called once.
func (h *Handler) Close(ctx context.Context) (cut int) {
	h.mu.Lock()
	h.closed = true
	idle := make(chan struct{})
	if h.idle = idle; h.users == 0 {
		close(idle)
	}
	h.mu.Unlock()
	await(ctx, idle)

	h.mu.Lock()
	cut = h.visits
	close(h.doneLocked())
	left := make([]*wire, 0, len(h.open))
	for w := range h.open {
		left = append(left, w)
	}
	h.mu.Unlock()
	for _, w := range left {
		w.cut()
	}
	ending, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	await(ending, idle)
	return cut
}

func await(ctx context.Context, done <-chan struct{}) {
	select {
	case <-done:
	case <-ctx.Done():
	}
}
