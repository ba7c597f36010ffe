package admin

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent(),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"))
}

const patience = 15 * time.Second

// start makes a server with a route that tells who calls and what.
func start(t *testing.T, cfg Config) *Server {
	t.Helper()
	if cfg.Address == "" {
		cfg.Address = "127.0.0.1:0"
	}
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	echo := func(ctx *fasthttp.RequestCtx, c Caller) {
		ctx.SetBodyString(fmt.Sprintf("key %d from %s: %d bytes", c.Key, c.Address, len(ctx.PostBody())))
	}
	s.Handle(
		Route{Name: "echo", Path: "/api/echo", Methods: []string{"POST"}, JSON: true, Handler: echo},
		Route{Path: "/api/both", Methods: []string{"GET", "POST"}, JSON: true, Handler: echo},
		Route{Path: "/open", Open: true, Handler: echo}, Route{Path: "/", Open: true, Handler: echo},
		Route{Path: "/panics", Handler: func(*fasthttp.RequestCtx, Caller) { panic("oh") }},
	)
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := s.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return s
}

// answered is an answer.
type answered struct {
	status int
	header http.Header
	body   string
	code   string
}

// send sends a request as it is written, with \n for the ends of lines, and reads the answer.
func send(t *testing.T, s *Server, request string) answered {
	t.Helper()
	c, err := net.Dial(s.Addr().Network(), s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(c, strings.ReplaceAll(request, "\n", "\r\n")); err != nil {
		t.Fatal(err)
	}
	return read(t, bufio.NewReader(c))
}

func read(t *testing.T, r *bufio.Reader) answered {
	t.Helper()
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := answered{status: resp.StatusCode, header: resp.Header, body: string(body)}
	if resp.Header.Get("Content-Type") == "application/problem+json" {
		var p struct {
			Code, Title, Type, Detail string
			Status                    int
		}
		if err := json.Unmarshal(body, &p); err != nil || p.Status != a.status || p.Title == "" || p.Type == "" || p.Detail == "" {
			t.Errorf("%v in %s", err, body)
		}
		a.code = p.Code
	}
	return a
}

func check(t *testing.T, s *Server, request string, status int, code string) answered {
	t.Helper()
	a := send(t, s, request)
	if a.status != status || a.code != code {
		t.Errorf("%.300q: %d %s %s; want %d %s", request, a.status, a.code, a.body, status, code)
	}
	return a
}
