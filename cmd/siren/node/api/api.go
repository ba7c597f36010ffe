package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/valyala/bytebufferpool"
	"github.com/valyala/fasthttp"

	"github.com/seed58c87869/siren/cmd/siren/node/admin"
	"github.com/seed58c87869/siren/cmd/siren/node/problem"
)

// API answers the calls. Safe for concurrent use.
type API struct {
	cfg      Config
	reserved map[string]bool
	answered *idempotency
	cursors  *cursors
	history  *history
	top      top
	calls    []*call
	// ctx ends what waits when the API is closed.
	ctx  context.Context
	stop context.CancelFunc
}

// New makes an API, and starts to take the samples from which stats tells rates. Close ends that.
func New(cfg Config) (*API, error) {
	cfg, err := cfg.settle()
	if err != nil {
		return nil, err
	}
	a := &API{
		cfg: cfg, reserved: map[string]bool{}, answered: newIdempotency(idempotencyKeys, idempotencyBytes), cursors: newCursors(),
	}
	for _, event := range cfg.Reserved {
		a.reserved[event] = true
	}
	for i := range callTable {
		if c := &callTable[i]; c.offered == nil || c.offered(&cfg) {
			a.calls = append(a.calls, c)
		}
	}
	a.ctx, a.stop = context.WithCancel(context.Background())
	a.history = newHistory(a.sample)
	return a, nil
}

// Close ends calls that wait, and the taking of samples.
func (a *API) Close() {
	a.stop()
	a.history.close()
}

// Routes are the routes of the calls.
func (a *API) Routes() []admin.Route {
	var routes []admin.Route
	for _, c := range a.calls {
		methods := []string{fasthttp.MethodPost}
		if c.get {
			methods = []string{fasthttp.MethodGet, fasthttp.MethodPost}
		}
		routes = append(routes, admin.Route{
			Name: c.name, Path: pathOf(c.name), Methods: methods, JSON: true,
			Handler: func(ctx *fasthttp.RequestCtx, caller admin.Caller) { a.serve(ctx, caller, c) },
		})
	}
	return routes
}

// Calls returns the names of all calls that there may be.
func Calls() (names []string) {
	for i := range callTable {
		names = append(names, callTable[i].name)
	}
	return names
}

// pathOf is the path of a call.
func pathOf(call string) string { return "/api/" + call }

// exchange is a call under way. It belongs to its goroutine.
type exchange struct {
	*request
	ctx    context.Context
	call   *call
	caller admin.Caller
	// out is the answer, appended to by the call.
	out []byte
	// count is what the audit line tells.
	count int
	// index is that of the event of a batch; -1 outside of one.
	index int
}

// path is the path of a field in the body.
func (x *exchange) path(field string) string {
	if x.index < 0 {
		return field
	}
	return fmt.Sprintf("emits[%d].%s", x.index, field)
}

// serve answers a call.
func (a *API) serve(ctx *fasthttp.RequestCtx, caller admin.Caller, c *call) {
	if a.byNewer(ctx, c) {
		return
	}
	key := ctx.Request.Header.Peek("Idempotency-Key")
	if !c.idempotent || key == nil {
		buf := bytebufferpool.Get()
		defer bytebufferpool.Put(buf)
		out, p := a.run(ctx, caller, c, buf.B[:0])
		if p != nil {
			admin.Refuse(ctx, p)
			return
		}
		buf.B = out
		answer(ctx, out)
		return
	}
	if !validKey(key) {
		admin.Refuse(ctx, problem.Field(problem.BadField, "Idempotency-Key", "it has to be 1 to 255 visible ASCII characters"))
		return
	}
	a.once(ctx, caller, c, string(key))
}

// once answers a call with an Idempotency-Key.
func (a *API) once(ctx *fasthttp.RequestCtx, caller admin.Caller, c *call, key string) {
	e, p := a.answered.begin(entryKey{caller.ID, key}, fingerprint(c.name, ctx.PostBody()), a.cfg.now())
	if p != nil {
		admin.Refuse(ctx, p)
		return
	}
	if e.done {
		ctx.Response.Header.Set("Idempotent-Replayed", "true")
		answer(ctx, e.answer)
		return
	}
	finished := false
	defer func() {
		if !finished { // a panic too leaves the key free
			a.answered.abandon(e)
		}
	}()
	out, p := a.run(ctx, caller, c, nil)
	if p != nil {
		admin.Refuse(ctx, p)
		return
	}
	a.answered.finish(e, out)
	finished = true
	answer(ctx, out)
}

func answer(ctx *fasthttp.RequestCtx, body []byte) {
	ctx.SetContentType("application/json")
	ctx.Response.Header.Set(fasthttp.HeaderCacheControl, "no-store")
	ctx.SetBody(body)
}

// run carries the call out, here and in an older process. out is where the answer goes.
func (a *API) run(ctx *fasthttp.RequestCtx, caller admin.Caller, c *call, out []byte) ([]byte, *problem.Problem) {
	return a.withOlder(c, ctx.PostBody(), func() ([]byte, *problem.Problem) { return a.runHere(ctx, caller, c, out) })
}

// runHere decodes the body and carries the call out.
func (a *API) runHere(ctx *fasthttp.RequestCtx, caller admin.Caller, c *call, out []byte) ([]byte, *problem.Problem) {
	select {
	case <-a.cfg.Server.Done():
		return nil, problem.New(problem.Draining, "the node has ended")
	default:
	}
	r := &request{limit: limitDefault}
	if !c.get || ctx.IsPost() {
		var p *problem.Problem
		if r, p = decode(ctx.PostBody(), c.fields, c.required); p != nil {
			return nil, p
		}
	}
	x := &exchange{request: r, ctx: a.ctx, call: c, caller: caller, out: out, index: -1}
	err := c.run(a, x)
	if c.changes {
		a.audit(x, err)
	}
	if err == nil {
		return x.out, nil
	}
	p := toProblem(err, x.path)
	if p == nil {
		if errors.Is(err, context.Canceled) {
			return nil, problem.New(problem.Draining, "the node is shutting down")
		}
		a.cfg.Logger.Error("an API call failed", "call", c.name, "err", err)
		p = problem.New(problem.Internal, "the log says why")
	}
	return nil, p
}

// audit leaves a line about a call that changes something, whether it was done or not.
func (a *API) audit(x *exchange, err error) {
	attrs := []any{
		slog.String("call", x.call.name), slog.Int("key", x.caller.Key), slog.Int("count", x.count),
		slog.String("addr", x.caller.Address),
	}
	if err != nil {
		attrs = append(attrs, slog.String("err", err.Error()))
	}
	a.cfg.Logger.Info("API call", attrs...)
}
