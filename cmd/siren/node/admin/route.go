package admin

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/seed58c87869/siren/cmd/siren/node/problem"
)

// Handler answers a request. What ctx holds is valid only during the call.
type Handler func(ctx *fasthttp.RequestCtx, caller Caller)

// Route is what the server answers at a path. Immutable.
type Route struct {
	// Name is what Config.Observe calls it. Default: the path.
	Name string
	// Path is the path, without a query. With a slash at its end it stands for all paths below, but for "/" itself.
	Path string
	// Methods are those allowed; HEAD goes with GET. Default GET.
	Methods []string
	// Open routes need no key; that of metricsPath does with Config.ProtectMetrics.
	Open bool
	// JSON routes take a POST whose Content-Type is application/json, and no other.
	JSON bool
	// Handler answers.
	Handler Handler
}

// Handle adds routes. It panics when a path is taken: that is a mistake of the program. Call it before Listen.
func (s *Server) Handle(routes ...Route) {
	for _, r := range routes {
		if r.Name == "" {
			r.Name = r.Path
		}
		if len(r.Methods) == 0 {
			r.Methods = []string{fasthttp.MethodGet}
		}
		if slices.Contains(r.Methods, fasthttp.MethodGet) {
			r.Methods = append(slices.Clone(r.Methods), fasthttp.MethodHead)
		}
		if _, taken := s.routes[r.Path]; taken {
			panic(fmt.Sprintf("admin: the path %q is taken", r.Path))
		}
		s.routes[r.Path] = &r
	}
}

// find returns the route of a path; nil when there is none.
func (s *Server) find(path string) *Route {
	if r := s.routes[path]; r != nil {
		return r
	}
	for dir := path; ; {
		i := strings.LastIndexByte(strings.TrimSuffix(dir, "/"), '/')
		if i <= 0 {
			return nil
		}
		dir = dir[:i+1]
		if r := s.routes[dir]; r != nil {
			return r
		}
	}
}

// serve answers a request.
func (s *Server) serve(ctx *fasthttp.RequestCtx) {
	begin := time.Now()
	r, caller, p := s.admit(&ctx.Request.Header, true)
	name := "unknown"
	if r != nil {
		name = r.Name
	}
	if p == nil {
		caller.Address = addressOf(ctx)
		s.run(ctx, r, caller)
	} else {
		s.strangers.Delete(&ctx.Request.Header)
		Refuse(ctx, p)
	}
	if p, ok := ctx.UserValue(refusedKey{}).(*problem.Problem); ok {
		s.cfg.Logger.Debug("request refused", "addr", addressOf(ctx), "call", name, "status", p.Code.Status(), "code", string(p.Code),
			"field", p.Field, "detail", p.Detail)
	}
	if s.cfg.Observe != nil {
		s.cfg.Observe(name, ctx.Response.StatusCode(), time.Since(begin))
	}
}

// admit finds the route of a request and decides whether it may be made. With spend it takes its share of the rate.
func (s *Server) admit(h *fasthttp.RequestHeader, spend bool) (*Route, Caller, *problem.Problem) {
	t, p := parseTarget(h)
	if p != nil {
		return nil, Caller{}, p
	}
	r := s.find(t.path)
	open := r != nil && s.isOpen(r)
	caller, p := s.authorize(h, t, open)
	switch {
	case p != nil:
	case r == nil:
		p = problem.New(problem.NotFound, "there is nothing at this path")
	case !slices.Contains(r.Methods, string(h.Method())):
		p = &problem.Problem{
			Code: problem.MethodNotAllowed, Allow: strings.Join(r.Methods, ", "),
			Detail: "this path takes " + strings.Join(r.Methods, ", "),
		}
	case r.JSON && h.IsPost() && !isJSON(string(h.ContentType())):
		p = problem.New(problem.UnsupportedMediaType, "the Content-Type has to be application/json")
	case spend && !open:
		if wait := s.rate.take(time.Now()); wait > 0 {
			p = &problem.Problem{Code: problem.RateLimited, Detail: "more requests than admin.requests_per_second", RetryAfter: wait}
		}
	}
	return r, caller, p
}

// metricsPath is the path of Config.ProtectMetrics.
const metricsPath = "/metrics"

// isOpen reports whether a route needs no key.
func (s *Server) isOpen(r *Route) bool {
	return r.Open && !(r.Path == metricsPath && s.protectsMetrics.Load())
}

// isJSON reports whether a media type is that of JSON, whatever its parameters.
func isJSON(contentType string) bool {
	media, _, _ := strings.Cut(contentType, ";")
	return strings.EqualFold(strings.TrimSpace(media), "application/json")
}

// run runs the handler. A panic is logged and answered.
func (s *Server) run(ctx *fasthttp.RequestCtx, r *Route, caller Caller) {
	defer func() {
		if e := recover(); e != nil {
			s.cfg.Logger.Error("a handler of the operators' listener panicked", "route", r.Name, "panic", fmt.Sprint(e), "stack", stack())
			ctx.Response.Reset()
			Refuse(ctx, problem.New(problem.Internal, "the log says why"))
		}
	}()
	r.Handler(ctx, caller)
}

// refusedKey is the key of the problem that a request was answered with.
type refusedKey struct{}

// Refuse answers with a problem. The log has it at debug level.
func Refuse(ctx *fasthttp.RequestCtx, p *problem.Problem) {
	ctx.SetUserValue(refusedKey{}, p)
	h := &ctx.Response.Header
	ctx.SetStatusCode(p.Code.Status())
	h.SetContentType(problem.ContentType)
	switch p.Code {
	case problem.Unauthorized:
		h.Set(fasthttp.HeaderWWWAuthenticate, "Bearer")
	case problem.MethodNotAllowed:
		h.Set(fasthttp.HeaderAllow, p.Allow)
	}
	if p.RetryAfter > 0 {
		h.Set(fasthttp.HeaderRetryAfter, problem.Seconds(p.RetryAfter))
	}
	ctx.Response.SetBody(p.Append(nil, false))
}

// addressOf is where a request came from, without a port.
func addressOf(ctx *fasthttp.RequestCtx) string {
	addr := ctx.RemoteAddr()
	if addr.Network() == "unix" {
		return "unix"
	}
	return ctx.RemoteIP().String()
}
