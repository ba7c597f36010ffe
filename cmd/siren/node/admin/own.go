package admin

import (
	"github.com/go-json-experiment/json/jsontext"
	"github.com/valyala/fasthttp"
	"github.com/valyala/fasthttp/pprofhandler"
)

// own are the routes about the process itself.
func (s *Server) own() []Route {
	routes := []Route{
		{Name: "healthz", Path: "/healthz", Open: true, Handler: health},
		{Name: "readyz", Path: "/readyz", Open: true, Handler: s.readiness},
		{Name: "pprof", Path: "/debug/pprof/", Methods: []string{fasthttp.MethodGet, fasthttp.MethodPost}, Handler: profile},
	}
	if s.cfg.Describe != nil {
		routes = append(routes, Route{Name: "openapi", Path: "/openapi.json", Open: true, Handler: s.describe})
	}
	return routes
}

// health answers while the process can serve, also when it is full and while it drains.
func health(ctx *fasthttp.RequestCtx, _ Caller) {
	ctx.SetContentType("text/plain; charset=utf-8")
	noStore(ctx)
	ctx.SetBodyString("ok\n")
}

// readiness tells balancers whether to send clients here.
func (s *Server) readiness(ctx *fasthttp.RequestCtx, _ Caller) {
	r := s.cfg.Ready()
	if !r.Ready {
		ctx.SetStatusCode(fasthttp.StatusServiceUnavailable)
	}
	ctx.SetContentType("application/json")
	noStore(ctx)
	body := append([]byte(`{"status":`), quote(r.Status)...)
	if r.Broker != "" {
		body = append(append(body, `,"broker":`...), quote(r.Broker)...)
	}
	ctx.SetBody(append(body, "}\n"...))
}

// profile serves what net/http/pprof does.
func profile(ctx *fasthttp.RequestCtx, _ Caller) { pprofhandler.PprofHandler(ctx) }

// describe serves the description of the API.
func (s *Server) describe(ctx *fasthttp.RequestCtx, _ Caller) {
	ctx.SetContentType("application/json")
	ctx.SetBody(s.cfg.Describe)
}

// noStore keeps caches from answering.
func noStore(ctx *fasthttp.RequestCtx) {
	ctx.Response.Header.Set(fasthttp.HeaderCacheControl, "no-store")
}

// quote makes a JSON string.
func quote(s string) []byte {
	out, _ := jsontext.AppendQuote(nil, s)
	return out
}
