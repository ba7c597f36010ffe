package server_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/seed58c87869/siren/server"
)

// exchange sends one raw request and reads the answer.
func exchange(t *testing.T, srv *server.Server, request string) (*http.Response, string) {
	t.Helper()
	conn, err := net.Dial("tcp", srv.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	method, _, _ := strings.Cut(request, " ")
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

// routes returns the handlers beside the mount path.
func routes(t *testing.T) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %q %s %s %q %d", r.Method, r.Host, r.URL.RawQuery, r.Proto, r.Header.Get("x-odd"), body, r.ContentLength)
	})
	mux.HandleFunc("/headers", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Set-Cookie", "a=1")
		w.Header().Add("Set-Cookie", "b=2")
		w.Header()["x-lower"] = []string{"kept"}
		w.Header()["content-length"] = []string{"999"}
		w.Header()["transfer-encoding"] = []string{"chunked"}
		w.Header()["bad name"] = []string{"x"}
		w.Header().Set("X-Split", "a\r\nX-Injected: 1")
		w.Header().Set("content-type", "text/x-odd")
		w.WriteHeader(http.StatusTeapot)
		w.WriteHeader(http.StatusOK)
		_, _ = io.WriteString(w, "short and stout")
	})
	mux.HandleFunc("/empty", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusNoContent)
		if _, err := w.Write([]byte("x")); err != http.ErrBodyNotAllowed {
			t.Error(err)
		}
	})
	mux.HandleFunc("/panic", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Secret", "1")
		_, _ = io.WriteString(w, "half an answer")
		panic("oh")
	})
	mux.HandleFunc("/abort", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	mux.HandleFunc("/status", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(5) })
	mux.HandleFunc("/large", func(w http.ResponseWriter, r *http.Request) {
		for range 3 {
			if _, err := w.Write(make([]byte, 400)); err != nil {
				return
			}
		}
		t.Error("no error")
	})
	mux.HandleFunc("/head", func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Content-Length", "77") })
	mux.HandleFunc("/html", func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "<html>") })
	return mux
}

// Other routes beside the mount path, with a plain http.Handler.
func TestFallback(t *testing.T) {
	srv := start(t, server.Config{Fallback: routes(t), MaxResponse: 1000}, nil)
	for _, test := range []struct {
		request, body string
		status        int
		headers       map[string]string
	}{
		{"GET /echo?a=%20b HTTP/1.1\r\nHost: h\r\nX-ODD: 1\r\n\r\n", `GET h "a=%20b" HTTP/1.1 1 "" 0`, 200, nil},
		{"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc", `POST h "" HTTP/1.1  "abc" 3`, 200, nil},
		{"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n", `POST h "" HTTP/1.1  "ab" 2`, 200, nil},
		{"GET http://other/echo HTTP/1.1\r\nHost: h\r\n\r\n", `GET other "" HTTP/1.1  "" 0`, 200, nil},
		{"GET /echo HTTP/1.0\r\nHost: h\r\n\r\n", `GET h "" HTTP/1.0  "" 0`, 200, map[string]string{"Connection": "close"}},
		{"HEAD /echo HTTP/1.1\r\nHost: h\r\n\r\n", "", 200, map[string]string{"Content-Length": "24"}},
		{"HEAD /head HTTP/1.1\r\nHost: h\r\n\r\n", "", 200, map[string]string{"Content-Length": "77"}},
		{"GET /headers HTTP/1.1\r\nHost: h\r\n\r\n", "short and stout", 418,
			map[string]string{"Set-Cookie": "a=1,b=2", "X-Lower": "kept", "Content-Length": "15", "Content-Type": "text/x-odd",
				"X-Injected": "", "Bad Name": "", "X-Split": "a  X-Injected: 1", "Transfer-Encoding": ""}},
		{"GET /empty HTTP/1.1\r\nHost: h\r\n\r\n", "", 204, nil},
		{"GET /panic HTTP/1.1\r\nHost: h\r\n\r\n", "", 500, map[string]string{"X-Secret": ""}},
		{"GET /abort HTTP/1.1\r\nHost: h\r\n\r\n", "", 500, nil},
		{"GET /status HTTP/1.1\r\nHost: h\r\n\r\n", "", 500, nil},
		{"GET /large HTTP/1.1\r\nHost: h\r\n\r\n", "", 500, nil},
		{"GET /html HTTP/1.1\r\nHost: h\r\n\r\n", "<html>", 200, map[string]string{"Content-Type": "text/html; charset=utf-8"}},
		{"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", "", 0, nil},
		{"GET /none HTTP/1.1\r\nHost: h\r\n\r\n", "404 page not found\n", 404, nil},
	} {
		resp, body := exchange(t, srv, test.request)
		if test.status != 0 && (resp.StatusCode != test.status || body != test.body) {
			t.Errorf("%q: %d %q", test.request, resp.StatusCode, body)
		}
		for name, want := range test.headers {
			got := strings.Join(resp.Header.Values(name), ",")
			if name == "Content-Length" && resp.ContentLength >= 0 {
				got = fmt.Sprint(resp.ContentLength)
			}
			if name == "Connection" && resp.Close {
				got = "close"
			}
			if got != want {
				t.Errorf("%q: %s is %q, want %q", test.request, name, got, want)
			}
		}
		if resp.Header.Get("Date") == "" {
			t.Errorf("%q: no Date", test.request)
		}
	}
	if n := srv.Stats().Panics; n != 2 {
		t.Errorf("%d panics", n)
	}
	joined(t, srv, "/") // Socket.IO goes on beside all that
}

// Without a fallback other paths are 404.
func TestNoFallback(t *testing.T) {
	srv := start(t, server.Config{}, nil)
	for _, target := range []string{"/", "/socket.io/x", "/socket.iox", "*"} {
		if resp, _ := exchange(t, srv, "GET "+target+" HTTP/1.1\r\nHost: h\r\n\r\n"); resp.StatusCode != 404 && target != "*" {
			t.Errorf("%s: %d", target, resp.StatusCode)
		}
	}
}

// A client that goes away ends the request's context, and Close waits for the handler.
func TestFallbackClientGone(t *testing.T) {
	began, ended := make(chan bool, 1), make(chan bool, 1)
	srv := start(t, server.Config{Fallback: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began <- true
		<-r.Context().Done()
		ended <- true
	})}, nil)
	for _, end := range []func(net.Conn){
		func(c net.Conn) { _ = c.Close() },
		func(net.Conn) { _ = srv.Close() },
	} {
		conn, err := net.Dial("tcp", srv.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "GET /x HTTP/1.1\r\nHost: h\r\n\r\n")
		receive(t, began)
		end(conn)
		receive(t, ended)
	}
}

// A handler of Fallback that ends its goroutine is answered for with 500.
func TestFallbackGoexit(t *testing.T) {
	srv := start(t, server.Config{Fallback: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "half")
		runtime.Goexit()
	})}, nil)
	resp, body := exchange(t, srv, "GET /x HTTP/1.1\r\nHost: h\r\n\r\n")
	if resp.StatusCode != http.StatusInternalServerError || body != "" {
		t.Errorf("%d %q", resp.StatusCode, body)
	}
	eventually(t, "no handler running", func() bool { return srv.Stats().Handlers == 0 })
}
