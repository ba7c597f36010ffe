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
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"html/template"
	"net/http"
	"strings"
)

// files are the page's sources.
//
//go:embed page.html style.css app.js socket.js icon.svg
var files embed.FS

// securityPolicy allows what the page has and nothing else: no inline code or
// styles, no other hosts, no frames, and no text that becomes markup.
const securityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// file is one answer, ready to be sent. Immutable.
type file struct {
	contentType string
	etag        string
	body        []byte
}

// page serves the files by their paths. Immutable.
type page struct{ files map[string]*file }

// New makes the handler of the page and its files. socketPath is where
// Socket.IO is mounted on the same server, such as "/socket.io". Other paths
// are answered with 404, other methods than GET and HEAD with 405.
func New(socketPath string) http.Handler {
	p := &page{files: map[string]*file{}}
	for _, f := range []struct{ path, name, contentType string }{
		{"/", "page.html", "text/html; charset=utf-8"},
		{"/demo/style.css", "style.css", "text/css; charset=utf-8"},
		{"/demo/app.js", "app.js", "text/javascript; charset=utf-8"},
		{"/demo/socket.js", "socket.js", "text/javascript; charset=utf-8"},
		{"/demo/icon.svg", "icon.svg", "image/svg+xml"},
	} {
		body, err := files.ReadFile(f.name)
		if err != nil {
			continue // embedding has made sure that it is there
		}
		if f.name == "page.html" {
			body = render(body, socketPath)
		}
		sum := sha256.Sum256(body)
		etag := `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
		p.files[f.path] = &file{f.contentType, etag, body}
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
	h.Set("Content-Security-Policy", securityPolicy)
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-cache")
	h.Set("ETag", f.etag)
	if matches(r.Header.Get("If-None-Match"), f.etag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", f.contentType)
	_, _ = w.Write(f.body)
}

// matches reports whether the field names the tag (RFC 9110, section 13.1.2).
// A proxy that compresses makes tags weak; that is the same page still.
func matches(field, etag string) bool {
	for tag := range strings.SplitSeq(field, ",") {
		tag = strings.TrimSpace(tag)
		if tag == "*" || strings.TrimPrefix(tag, "W/") == etag {
			return true
		}
	}
	return false
}
