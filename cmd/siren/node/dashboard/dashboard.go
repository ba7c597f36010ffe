// Package dashboard is the page of the operators' listener: the node's numbers of the last ten minutes as plots, its rooms
// and event loops, a form to emit, and a list of sockets to disconnect. Everything is part of the binary, and the page
// loads nothing from elsewhere. The files hold no data: the page asks the API for it, with the key that the person gives.
package dashboard

import (
	"embed"

	"github.com/valyala/fasthttp"

	"github.com/seed58c87869/siren/cmd/siren/asset"
	"github.com/seed58c87869/siren/cmd/siren/node/admin"
)

// files are the page's sources.
//
//go:embed files
var files embed.FS

// Routes are the routes of the page and its files. They need no key.
func Routes() []admin.Route {
	entries, err := files.ReadDir("files")
	if err != nil {
		panic(err) // embedding has made sure that they are there
	}
	var routes []admin.Route
	for _, e := range entries {
		body, err := files.ReadFile("files/" + e.Name())
		if err != nil {
			panic(err)
		}
		f := asset.New(e.Name(), body)
		at := "/dashboard/" + e.Name()
		if e.Name() == "page.html" {
			at = "/"
		}
		routes = append(routes, admin.Route{Name: "dashboard", Path: at, Open: true, Handler: serve(f)})
	}
	return routes
}

// serve answers with the file, or that the caller's copy is still right.
func serve(f *asset.File) func(ctx *fasthttp.RequestCtx, _ admin.Caller) {
	return func(ctx *fasthttp.RequestCtx, _ admin.Caller) {
		h := &ctx.Response.Header
		f.SetHeader(h.Set)
		if f.Matches(string(ctx.Request.Header.Peek(fasthttp.HeaderIfNoneMatch))) {
			ctx.SetStatusCode(fasthttp.StatusNotModified)
			return
		}
		h.SetContentType(f.ContentType)
		ctx.Response.SetBodyRaw(f.Body)
	}
}
