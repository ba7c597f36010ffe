// Package dashboard is the page of the operators' listener: the node's numbers of the last ten minutes as plots, its rooms
// and event loops, a form to emit, and a list of sockets to disconnect. Everything is part of the binary, and the page
// loads nothing from elsewhere. The files hold no data: the page asks the API for it, with the key that the person gives.
package dashboard

import (
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"path"
	"strings"

	"github.com/valyala/fasthttp"

	"github.com/seed58c87869/siren/cmd/siren/node/admin"
)

// files are the page's sources.
//
//go:embed files
var files embed.FS

// securityPolicy allows what the page has and nothing else: no inline code or styles, no other hosts, no frames, no forms
// that the browser sends, and no text that becomes markup.
const securityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// contentTypes are those of the files, by the ends of their names.
var contentTypes = map[string]string{
	".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
	".svg": "image/svg+xml",
}

// file is one answer, ready to be sent. Immutable.
type file struct {
	contentType, etag string
	body              []byte
}

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
		sum := sha256.Sum256(body)
		f := &file{contentTypes[path.Ext(e.Name())], `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`, body}
		at := "/dashboard/" + e.Name()
		if e.Name() == "page.html" {
			at = "/"
		}
		routes = append(routes, admin.Route{Name: "dashboard", Path: at, Open: true, Handler: f.serve})
	}
	return routes
}

// serve answers with the file, or that the caller's copy is still right.
func (f *file) serve(ctx *fasthttp.RequestCtx, _ admin.Caller) {
	h := &ctx.Response.Header
	h.Set("Content-Security-Policy", securityPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set(fasthttp.HeaderCacheControl, "no-cache")
	h.Set(fasthttp.HeaderETag, f.etag)
	if matches(string(ctx.Request.Header.Peek(fasthttp.HeaderIfNoneMatch)), f.etag) {
		ctx.SetStatusCode(fasthttp.StatusNotModified)
		return
	}
	h.SetContentType(f.contentType)
	ctx.Response.SetBodyRaw(f.body)
}

// matches reports whether the field names the tag (RFC 9110, section 13.1.2). A proxy that compresses makes tags weak.
func matches(field, etag string) bool {
	for tag := range strings.SplitSeq(field, ",") {
		tag = strings.TrimSpace(tag)
		if tag == "*" || strings.TrimPrefix(tag, "W/") == etag {
			return true
		}
	}
	return false
}
