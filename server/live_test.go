package server_test

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/seed58c87869/siren/server"
)

// Origins that may connect change in a running server; settings that are wrong change nothing.
func TestSetCORS(t *testing.T) {
	srv := start(t, server.Config{}, nil)
	status := func(origin string) (int, string) {
		t.Helper()
		request, err := http.NewRequest("GET", "http://"+srv.Addr().String()+"/socket.io/?EIO=4&transport=polling", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Origin", origin)
		r, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = r.Body.Close()
		return r.StatusCode, r.Header.Get("Access-Control-Allow-Origin")
	}
	listed := server.CORS{Origins: []string{"https://a.example"}, Enforce: true}
	for _, step := range []struct {
		cors    server.CORS
		wrong   string
		origin  string
		status  int
		allowed string
	}{
		{server.CORS{}, "", "https://b.example", 200, ""},
		{listed, "", "https://a.example", 200, "https://a.example"},
		{listed, "", "https://b.example", 403, ""},
		{server.CORS{Origins: []string{"https://b.example/"}}, `write "https://b.example"`, "https://b.example", 403, ""},
		{server.CORS{Origins: []string{"*"}}, "", "https://b.example", 200, "*"},
	} {
		if err := srv.SetCORS(step.cors); (err == nil) != (step.wrong == "") || err != nil && !strings.Contains(err.Error(), step.wrong) {
			t.Errorf("%+v: %v", step.cors, err)
		}
		if got, allowed := status(step.origin); got != step.status || allowed != step.allowed {
			t.Errorf("%+v: %s gets %d and %q", step.cors, step.origin, got, allowed)
		}
	}
}

// A logger that takes debug records from some time on gets them.
func TestLevelChanged(t *testing.T) {
	out, level := &logBuffer{}, new(slog.LevelVar)
	logger := slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: level}))
	srv := start(t, server.Config{Logger: logger}, func(srv *server.Server) { withSync(srv) })
	c, _ := joined(t, srv, "/")
	c.sync()
	if strings.Contains(out.String(), "level=DEBUG") {
		t.Fatalf("the log has\n%s", out)
	}
	level.Set(slog.LevelDebug)
	srv.LevelChanged()
	c.sync()
	for _, line := range []string{"msg=received eio.", "msg=event sio."} {
		eventually(t, line, func() bool { return strings.Contains(out.String(), line) })
	}
}

// Events without a handler go to OnUnhandled, of the namespace or of its parent, also when listeners hear of them.
func TestOnUnhandled(t *testing.T) {
	var own []server.Registration
	srv := start(t, server.Config{EchoUnhandled: true}, func(srv *server.Server) {
		withSync(srv)
		rest := func(name string) func(context.Context, *server.Message) error {
			return func(_ context.Context, m *server.Message) error {
				if m.Event() == "refused" {
					return server.Refuse("no", nil)
				}
				return m.Ack(name, m.Event(), m.Len())
			}
		}
		own = append(own, srv.Of("/").OnUnhandled(rest("old")), srv.Of("/").OnUnhandled(rest("own")))
		srv.Of("/heard").OnUnhandled(rest("heard"))
		srv.Of("/heard").OnAny(func(context.Context, *server.Message) {})
		parent := srv.OfFunc(func(_ context.Context, name string, _ server.Raw) bool { return strings.HasPrefix(name, "/child") })
		parent.OnUnhandled(rest("parent"))
	})
	c, _ := joined(t, srv, "/")
	c.send(`21["x",1,2]`, `22["refused"]`, `2["nothing asked"]`)
	c.expect(`31["own","x",2]`, `32[{"error":"no"}]`)
	c.sync()
	for _, name := range []string{"heard", "child"} {
		c, _ := joined(t, srv, "/"+name)
		want := map[string]string{"heard": "heard", "child": "parent"}[name]
		c.send(`2/` + name + `,1["y"]`)
		c.expect(`3/` + name + `,1["` + want + `","y",0]`)
	}
	for _, r := range own {
		r.Remove()
	}
	c.send(`23["x",1]`)
	c.expect(`33[1]`)
	if n := srv.Stats().Unhandled; n != 0 {
		t.Errorf("%d events count as unhandled", n)
	}
}
