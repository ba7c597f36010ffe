// Package demo is the page that the broadcast server shows in a browser: a
// small chat that connects with a Socket.IO client of its own, a file of plain
// JavaScript. Everything is part of the binary, and the page loads nothing from
// elsewhere.
//
// The handler is safe for concurrent use:
//
//	http.Handle("/", demo.New("/socket.io"))
package demo

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"
	"strings"

	"github.com/seed58c87869/siren/cmd/siren/asset"
)

// files are the page's sources.
//
//go:embed page.html style.css app.js socket.js icon.svg
var files embed.FS

// page serves the files by their paths. Immutable.
type page struct{ files map[string]*asset.File }

// New makes the handler of the page and its files. socketPath is where
// Socket.IO is mounted on the same server, such as "/socket.io". Other paths
// are answered with 404, other methods than GET and HEAD with 405.
func New(socketPath string) http.Handler {
	p := &page{files: map[string]*asset.File{}}
	for _, f := range []struct{ path, name string }{
		{"/", "page.html"},
		{"/demo/style.css", "style.css"},
		{"/demo/app.js", "app.js"},
		{"/demo/socket.js", "socket.js"},
		{"/demo/icon.svg", "icon.svg"},
	} {
		body, err := files.ReadFile(f.name)
		if err != nil {
			continue // embedding has made sure that it is there
		}
		if f.name == "page.html" {
			body = render(body, socketPath)
		}
		p.files[f.path] = asset.New(f.name, body)
	}
	return p
}

// render puts the path into the page, escaped for where it stands.
func render(source []byte, socketPath string) []byte {
	t, err := template.New("page").Parse(string(source))
	if err != nil {
		return source
	}
	var out bytes.Buffer
	if err := t.Execute(&out, struct{ Path string }{strings.TrimRight(socketPath, "/") + "/"}); err != nil {
		return source
	}
	return out.Bytes()
}

// ServeHTTP implements http.Handler. The body of an answer to HEAD is left out
// by the server, which so knows its length.
func (p *page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	f := p.files[r.URL.Path]
	if f == nil {
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		http.Error(w, "Not found", http.StatusNotFound)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "Method not allowed", http.StatusMethodNotAllowed)
		return
	}
	f.SetHeader(h.Set)
	if f.Matches(r.Header.Get("If-None-Match")) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", f.ContentType)
	_, _ = w.Write(f.Body)
}
