package server

import (
	"context"
	"reflect"
	"runtime"
	"strings"
	"sync"

	"github.com/seed58c87869/siren/session"
)

// waits are the handlers that wait in Request for their client, or in CallAll and FetchSockets and their like for many. An attached server keeps them, because whoever drives
// its loops must know when there is nothing left to do: such a handler goes on only after the loops have, or the
// clock. Safe for concurrent use; nil, as on a server that listens, it keeps nothing.
type waits struct {
	mu sync.Mutex
	// contexts are those of the requests, by whatever stands for one: a *pendingAck, for instance. Guarded by mu.
	contexts map[any]context.Context
}

// add notes a request that is posted, if it is a handler's (the Server does not count other goroutines) and was not
// answered meanwhile.
func (w *waits) add(p *pendingAck, ctx context.Context) {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	if p.s.acks.get(p.id) == p {
		w.note(p, ctx)
	}
}

// note notes what is waited for, if a handler waits. Its owner has made sure that it is not over, and that who ends it
// calls remove after this.
func (w *waits) note(p any, ctx context.Context) {
	if w == nil || !onHandler() {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.contexts == nil {
		w.contexts = make(map[any]context.Context)
	}
	w.contexts[p] = ctx
}

// remove forgets a request. Who answers it does so first, so that the handler counts as busy before it goes on.
func (w *waits) remove(p any) {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.contexts, p)
}

// len is how many handlers wait. One whose context has ended is about to go on.
func (w *waits) len() (n int) {
	if w == nil {
		return 0
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, ctx := range w.contexts {
		if ctx.Err() == nil {
			n++
		}
	}
	return n
}

// ownPackages are the packages that start the goroutines of handlers.
var ownPackages = []string{reflect.TypeFor[Server]().PkgPath() + ".", reflect.TypeFor[session.Session]().PkgPath() + "."}

// onHandler tells whether the calling goroutine is one that this package or session has started: all of those run
// handlers.
func onHandler() bool {
	pcs := make([]uintptr, 64)
	n := runtime.Callers(1, pcs)
	for n == len(pcs) {
		pcs = make([]uintptr, 2*n)
		n = runtime.Callers(1, pcs)
	}
	root := ""
	for frames := runtime.CallersFrames(pcs[:n]); ; {
		f, more := frames.Next()
		if f.Function != "" && f.Function != "runtime.goexit" {
			root = f.Function
		}
		if !more {
			break
		}
	}
	for _, p := range ownPackages {
		if strings.HasPrefix(root, p) {
			return true
		}
	}
	return false
}
