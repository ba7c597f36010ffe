package session

import (
	"context"

	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/codec/httpwire"
)

// Elsewhere answers polling requests whose session this engine does not have, because another process may have it: one
// that this process takes over from. It gets the request as it came, and runs on a goroutine of its own. ctx ends when
// the client has gone. An error means that nobody has the session.
type Elsewhere func(ctx context.Context, request []byte) (*httpwire.Response, error)

// SetElsewhere sets who answers requests of unknown sessions from now on; nil means nobody. Safe for concurrent use.
func (e *Engine) SetElsewhere(fn Elsewhere) {
	if fn == nil {
		e.elsewhere.Store(nil)
		return
	}
	e.elsewhere.Store(&fn)
}

// keepRequest keeps a polling request for Elsewhere, if there is one. A body that was chunked is not kept.
func (x *Exchange) keepRequest(r *httpwire.Request, t *target) {
	if x.conn.shard.engine.elsewhere.Load() == nil || t.upgrade || t.transport != Polling || r.Get("Transfer-Encoding") != nil {
		return
	}
	request := append(make([]byte, 0, len(r.Head)+len("\r\n")+len(r.Body)), r.Head...)
	sh := x.conn.shard
	if sh.kept == nil {
		sh.kept = make(map[*Exchange][]byte)
	}
	sh.kept[x] = append(append(request, "\r\n"...), r.Body...)
}

// passOn has Elsewhere answer a request that is about to be refused. It reports whether it does.
func (x *Exchange) passOn(r reply) bool {
	sh := x.conn.shard
	request := sh.kept[x]
	if delete(sh.kept, x); request == nil || r.fault == nil || r.fault.code != eio.SessionIDUnknown {
		return false
	}
	fn := x.conn.shard.engine.elsewhere.Load()
	if fn == nil {
		return false
	}
	a := x.ref()
	ctx, gone := context.WithCancel(context.Background())
	x.OnGone(gone)
	go func() {
		defer gone()
		answer, err := (*fn)(ctx, request)
		x.conn.post(func() {
			switch {
			case !a.waits():
			case err != nil:
				x.answer(r)
			default:
				x.Respond(answer)
			}
		})
	}()
	return true
}
