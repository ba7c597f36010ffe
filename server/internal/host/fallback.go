package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"

	"github.com/seed58c87869/siren/codec/httpwire"
	"github.com/seed58c87869/siren/session"
)

// fallback answers a request for a path that is not Socket.IO's through Config.Fallback, off the loop.
func (h *Host) fallback(x *session.Exchange, r *httpwire.Request) {
	req, err := newRequest(x, r)
	if err != nil {
		x.Respond(&httpwire.Response{Status: 400, ContentType: "text/plain; charset=UTF-8", Body: []byte("Bad request"), Close: true})
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	x.OnGone(cancel)
	req = req.WithContext(ctx)
	h.cfg.Jobs.Add(1)
	go func() {
		defer h.cfg.Jobs.Add(-1)
		defer cancel()
		w := &bufferedResponse{header: http.Header{}, limit: h.cfg.MaxResponse, head: req.Method == http.MethodHead}
		returned := false
		defer func() {
			if !returned { // the handler ended its goroutine
				w.fail()
			}
			resp := w.response(h.cfg.Log)
			x.Loop().PostFunc(func() { x.Respond(resp) })
		}()
		h.runFallback(w, req)
		returned = true
	}()
}

// runFallback runs the user's handler. The answer to a panic is 500; net/http would close the connection without one.
func (h *Host) runFallback(w *bufferedResponse, req *http.Request) {
	defer func() {
		if p := recover(); p != nil {
			if p != http.ErrAbortHandler {
				h.cfg.Panicked()
				h.cfg.Log.Error("fallback panicked", "path", req.URL.Path, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			}
			w.fail()
		}
	}()
	h.cfg.Fallback.ServeHTTP(w, req)
}

// newRequest copies a request out of the loop's memory.
func newRequest(x *session.Exchange, r *httpwire.Request) (*http.Request, error) {
	target := string(r.Target)
	u, err := url.ParseRequestURI(target)
	if err != nil {
		return nil, err
	}
	req := &http.Request{
		Method: string(r.Method), URL: u, RequestURI: target, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: r.Minor,
		Header: make(http.Header, len(r.Fields)), ContentLength: int64(len(r.Body)), RemoteAddr: "@",
		Body: http.NoBody, Close: r.Close,
	}
	if addr := x.RemoteAddr(); addr.IsValid() {
		req.RemoteAddr = addr.String() // what net/http has for a unix socket is "@"
	}
	if r.Minor == 0 {
		req.Proto = "HTTP/1.0"
	}
	for _, f := range r.Fields {
		name := http.CanonicalHeaderKey(string(f.Name))
		if name == "Host" {
			req.Host = string(f.Value)
			continue
		}
		req.Header.Add(name, string(f.Value))
	}
	if u.Host != "" {
		req.Host = u.Host
	}
	if len(r.Body) > 0 {
		req.Body = io.NopCloser(bytes.NewReader(append([]byte(nil), r.Body...)))
	}
	return req, nil
}

// errResponseTooLarge is the error of Write for a response that is longer than Config.MaxResponse.
var errResponseTooLarge = errors.New("siren: response is larger than Config.MaxResponse")

// bufferedResponse is the http.ResponseWriter of the fallback. It keeps the whole response, up to a limit.
type bufferedResponse struct {
	header http.Header
	status int
	body   bytes.Buffer
	limit  int
	head   bool // the request's method is HEAD
	over   bool
}

// Header implements http.ResponseWriter.
func (w *bufferedResponse) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter. Informational statuses are not sent. An invalid status panics, as with
// net/http.
func (w *bufferedResponse) WriteHeader(status int) {
	if status < 100 || status > 999 {
		panic(fmt.Sprintf("siren: WriteHeader(%d): no such status", status))
	}
	if w.status == 0 && status >= 200 {
		w.status = status
	}
}

// Write implements io.Writer. Over Config.MaxResponse it fails, and the client gets 500.
func (w *bufferedResponse) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	switch {
	case w.status == http.StatusNoContent || w.status == http.StatusNotModified:
		return 0, http.ErrBodyNotAllowed
	case w.over || w.body.Len()+len(p) > w.limit:
		w.over = true
		return 0, errResponseTooLarge
	}
	return w.body.Write(p)
}

// fail makes the response a 500.
func (w *bufferedResponse) fail() {
	*w = bufferedResponse{header: http.Header{}, status: http.StatusInternalServerError, limit: w.limit, head: w.head}
}

// response returns the response that is sent. The fields that a handler sets cannot break the framing: codec/httpwire
// drops names that are no tokens, and replaces control characters by spaces.
func (w *bufferedResponse) response(log *slog.Logger) *httpwire.Response {
	if w.over {
		log.Error("the response of Fallback is larger than Config.MaxResponse", "limit", w.limit)
		w.fail()
	}
	if w.status == 0 {
		w.status = http.StatusOK
	}
	r := &httpwire.Response{Status: w.status, Body: w.content()}
	for _, name := range slices.Sorted(maps.Keys(w.header)) {
		for _, value := range w.header[name] {
			switch canonical := http.CanonicalHeaderKey(name); canonical {
			case "Content-Type":
				r.ContentType = value
			case "Connection":
				r.Close = r.Close || strings.EqualFold(value, "close")
			case "Content-Length", "Transfer-Encoding", "Keep-Alive", "Upgrade", "Trailer":
				// The connection sets these itself.
			default:
				r.Header = append(r.Header, name, value)
			}
		}
	}
	if r.ContentType == "" && w.body.Len() > 0 {
		r.ContentType = http.DetectContentType(r.Body)
	}
	return r
}

// content returns the body. The answer to HEAD has none, but handlers such as http.FileServer declare the length of the
// answer to GET: content then returns a body of that length, which is not sent.
func (w *bufferedResponse) content() []byte {
	if w.head && w.body.Len() == 0 {
		if n, err := strconv.Atoi(w.header.Get("Content-Length")); err == nil && n > 0 && n <= w.limit {
			return make([]byte, n)
		}
	}
	return w.body.Bytes()
}
