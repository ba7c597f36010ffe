package demo

import (
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/seed58c87869/siren/cmd/siren/asset"
)

func ask(t *testing.T, h http.Handler, method, target string, header ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

var served = map[string]string{
	"/":                "text/html; charset=utf-8",
	"/demo/style.css":  "text/css; charset=utf-8",
	"/demo/app.js":     "text/javascript; charset=utf-8",
	"/demo/socket.js":  "text/javascript; charset=utf-8",
	"/demo/icon.svg":   "image/svg+xml",
	"/?from=elsewhere": "text/html; charset=utf-8",
}

func TestFiles(t *testing.T) {
	h := New("/socket.io")
	for path, contentType := range served {
		r := ask(t, h, "GET", path)
		if r.StatusCode != 200 || r.Header.Get("Content-Type") != contentType || len(body(t, r)) < 100 {
			t.Errorf("%s: status %d, type %q", path, r.StatusCode, r.Header.Get("Content-Type"))
		}
		for name, want := range map[string]string{
			"X-Content-Type-Options":       "nosniff",
			"Referrer-Policy":              "no-referrer",
			"Cross-Origin-Opener-Policy":   "same-origin",
			"Cross-Origin-Resource-Policy": "same-origin",
			"Cache-Control":                "no-cache",
			"Content-Security-Policy":      asset.SecurityPolicy,
		} {
			if got := r.Header.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", path, name, got, want)
			}
		}
	}
}

func TestNotModified(t *testing.T) {
	h := New("/socket.io")
	tag := ask(t, h, "GET", "/").Header.Get("ETag")
	if !regexp.MustCompile(`^"[A-Za-z0-9_-]{16}"$`).MatchString(tag) {
		t.Fatalf("ETag is %q", tag)
	}
	for _, field := range []string{tag, "W/" + tag, `"other", ` + tag, "*"} {
		r := ask(t, h, "GET", "/", "If-None-Match", field)
		if r.StatusCode != 304 || body(t, r) != "" || r.Header.Get("ETag") != tag {
			t.Errorf("If-None-Match %s: status %d", field, r.StatusCode)
		}
	}
	if r := ask(t, h, "GET", "/", "If-None-Match", `"other"`); r.StatusCode != 200 {
		t.Errorf("another tag: status %d", r.StatusCode)
	}
	if other := ask(t, New("/elsewhere"), "GET", "/").Header.Get("ETag"); other == tag {
		t.Error("pages of different paths have the same ETag")
	}
}

func TestRefusals(t *testing.T) {
	h := New("/socket.io")
	for _, path := range []string{"/favicon.ico", "/demo", "/demo/", "/demo/page.html", "/demo/demo.go", "//", "/demo/../demo/app.js", "/index.html"} {
		r := ask(t, h, "GET", path)
		if r.StatusCode != 404 || r.Header.Get("X-Content-Type-Options") != "nosniff" || !strings.HasPrefix(r.Header.Get("Content-Type"), "text/plain") {
			t.Errorf("%s: status %d, headers %v", path, r.StatusCode, r.Header)
		}
	}
	for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS"} {
		if r := ask(t, h, method, "/"); r.StatusCode != 405 || r.Header.Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: status %d, Allow %q", method, r.StatusCode, r.Header.Get("Allow"))
		}
	}
	if r := ask(t, h, "HEAD", "/"); r.StatusCode != 200 {
		t.Errorf("HEAD: status %d", r.StatusCode)
	}
}

func TestSocketPath(t *testing.T) {
	for path, want := range map[string]string{
		"/socket.io":       `content="/socket.io/"`,
		"/socket.io/":      `content="/socket.io/"`,
		"/a/b":             `content="/a/b/"`,
		`/"><script>x`:     `content="/&#34;&gt;&lt;script&gt;x/"`,
		"/{{.Path}}":       `content="/{{.Path}}/"`,
		"/x' onerror='y()": `content="/x&#39; onerror=&#39;y()/"`,
	} {
		got := body(t, ask(t, New(path), "GET", "/"))
		if !strings.Contains(got, `name="socket-path" `+want) {
			t.Errorf("%s: the page has no %s", path, want)
		}
	}
}

// The page loads nothing from elsewhere, has no code or styles in its markup,
// and its scripts make no markup of text.
func TestSources(t *testing.T) {
	h := New("/socket.io")
	for path := range served {
		text := body(t, ask(t, h, "GET", path))
		// The name of the SVG namespace is no address to load from.
		text = strings.ReplaceAll(text, `xmlns="http://www.w3.org/2000/svg"`, "")
		for _, pattern := range []string{
			`(?i)(https?:)?//[a-z0-9-]+\.[a-z]`, `@import`, `(?i)\sstyle=`, `(?i)\son[a-z]+=["']`, `<script>`, `<style`,
			`innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|\beval\b|new Function|setHTMLUnsafe`,
		} {
			if found := regexp.MustCompile(pattern).FindString(text); found != "" {
				t.Errorf("%s has %q", path, found)
			}
		}
	}
}

// Every field has a label that people see or hear.
func TestLabels(t *testing.T) {
	text := body(t, ask(t, New("/socket.io"), "GET", "/"))
	for _, input := range regexp.MustCompile(`<input id="([a-z]+)"`).FindAllStringSubmatch(text, -1) {
		if !strings.Contains(text, `<label for="`+input[1]+`"`) && !strings.Contains(text, `for="`+input[1]+`"`) {
			t.Errorf("the field %s has no label", input[1])
		}
	}
	for _, part := range []string{`<html lang="en">`, `role="log"`, `role="status"`, `<main`, `<h1>`, `name="viewport"`} {
		if !strings.Contains(text, part) {
			t.Errorf("the page has no %s", part)
		}
	}
}
