package dashboard

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/seed58c87869/siren/cmd/siren/asset"
	"github.com/seed58c87869/siren/cmd/siren/node/admin"
)

func TestMain(m *testing.M) {
	before := goleak.IgnoreCurrent()
	code := m.Run()
	if code == 0 {
		http.DefaultClient.CloseIdleConnections()
		if err := goleak.Find(before, goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
			goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// start serves the page on an operators' listener that needs a key for everything else. It returns the listener's URL.
func start(t *testing.T) string {
	t.Helper()
	s, err := admin.New(admin.Config{Address: "127.0.0.1:0", Keys: []string{"k"}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	s.Handle(Routes()...)
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
		defer cancel()
		if err := s.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return "http://" + s.Addr().String()
}

func ask(t *testing.T, method, url string, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r, string(body)
}

// pathsOf are the paths of the page and of all of its files.
func pathsOf(t *testing.T) (paths []string) {
	for _, r := range Routes() {
		if !r.Open {
			t.Errorf("%s needs a key", r.Path)
		}
		paths = append(paths, r.Path)
	}
	if len(paths) < 10 || paths[0] == "" {
		t.Fatal(paths)
	}
	return paths
}

// Nobody needs a key for the page, and it may not be used for anything but what it is for.
func TestFiles(t *testing.T) {
	url := start(t)
	for _, path := range pathsOf(t) {
		r, body := ask(t, "GET", url+path)
		if r.StatusCode != 200 || len(body) < 100 || r.Header.Get("Content-Type") == "" {
			t.Errorf("%s: status %d, %d bytes of %q", path, r.StatusCode, len(body), r.Header.Get("Content-Type"))
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
		tag := r.Header.Get("ETag")
		for _, field := range []string{tag, "W/" + tag, `"other", ` + tag, "*"} {
			if r, body := ask(t, "GET", url+path, "If-None-Match", field); r.StatusCode != 304 || body != "" || r.Header.Get("ETag") != tag {
				t.Errorf("%s, If-None-Match %s: status %d", path, field, r.StatusCode)
			}
		}
		if r, _ := ask(t, "GET", url+path, "If-None-Match", `"other"`); r.StatusCode != 200 {
			t.Errorf("%s, another tag: status %d", path, r.StatusCode)
		}
		if r, body := ask(t, "HEAD", url+path); r.StatusCode != 200 || body != "" {
			t.Errorf("%s: HEAD: status %d", path, r.StatusCode)
		}
		if r, _ := ask(t, "POST", url+path); r.StatusCode != 405 {
			t.Errorf("%s: POST: status %d", path, r.StatusCode)
		}
	}
	for _, path := range []string{"/dashboard", "/dashboard/", "/dashboard/page.html", "/dashboard/dashboard.go", "/index.html", "/files/app.js"} {
		if r, _ := ask(t, "GET", url+path, "X-API-Key", "k"); r.StatusCode != 404 {
			t.Errorf("%s: status %d", path, r.StatusCode)
		}
	}
}

// The page loads nothing from elsewhere, has no code or styles in its markup, and its scripts make no markup of text. What
// it imports or refers to is there.
func TestSources(t *testing.T) {
	url := start(t)
	refers := regexp.MustCompile(`(?:src|href)="(/[^"]*)"|from "\./([^"]+)"`)
	for _, path := range pathsOf(t) {
		_, text := ask(t, "GET", url+path)
		for _, m := range refers.FindAllStringSubmatch(text, -1) {
			to := m[1]
			if to == "" {
				to = "/dashboard/" + m[2]
			}
			if r, _ := ask(t, "GET", url+to); r.StatusCode != 200 && to != "/openapi.json" {
				t.Errorf("%s refers to %s: status %d", path, to, r.StatusCode)
			}
		}
		// The name of the SVG namespace is no address to load from.
		text = strings.ReplaceAll(text, `"http://www.w3.org/2000/svg"`, "")
		for _, pattern := range []string{
			`(?i)(https?:)?//[a-z0-9-]+\.[a-z]`, `@import`, `(?i)\sstyle=`, `(?i)\son[a-z]+=["']`, `<script>`, `<style`,
			`innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|\beval\b|new Function|setHTMLUnsafe`, `localStorage|document\.cookie`,
		} {
			if found := regexp.MustCompile(pattern).FindString(text); found != "" {
				t.Errorf("%s has %q", path, found)
			}
		}
	}
}

// Every field has a label that people see or hear, and every part of the page a name.
func TestLabels(t *testing.T) {
	text, err := files.ReadFile("files/page.html")
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	ids := map[string]bool{}
	for _, m := range regexp.MustCompile(`\sid="([^"]+)"`).FindAllStringSubmatch(page, -1) {
		if ids[m[1]] {
			t.Errorf("the id %s is there twice", m[1])
		}
		ids[m[1]] = true
	}
	for _, m := range regexp.MustCompile(`<(?:input|textarea)[^>]* id="([^"]+)"[^>]*>`).FindAllStringSubmatch(page, -1) {
		if !strings.Contains(page, `for="`+m[1]+`"`) && !regexp.MustCompile(`<label class="choice"><input[^>]* id="`+m[1]+`"`).MatchString(page) {
			t.Errorf("the field %s has no label", m[1])
		}
	}
	for _, m := range regexp.MustCompile(`(?:aria-labelledby|aria-describedby|for|list)="([^"]+)"`).FindAllStringSubmatch(page, -1) {
		if !ids[m[1]] {
			t.Errorf("there is no element %s", m[1])
		}
	}
	for _, tag := range regexp.MustCompile(`<(?:section|dialog)[^>]*>`).FindAllString(page, -1) {
		if !strings.Contains(tag, "aria-labelledby=") {
			t.Errorf("%s has no name", tag)
		}
	}
	for _, part := range []string{`<html lang="en">`, `role="status"`, `<main`, `<h1>`, `name="viewport"`} {
		if !strings.Contains(page, part) {
			t.Errorf("the page has no %s", part)
		}
	}
}
