package admin

import (
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"

	"github.com/seed58c87869/siren/cmd/siren/node/problem"
	"github.com/seed58c87869/siren/server/logqueue/logtest"
)

// Why a request was refused is in the log at debug level, also when a route's handler has refused it.
func TestRefusedLog(t *testing.T) {
	var log logtest.Buffer
	s := start(t, Config{Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	s.Handle(Route{Name: "picky", Path: "/api/picky", Methods: []string{"POST"}, Handler: func(ctx *fasthttp.RequestCtx, _ Caller) {
		Refuse(ctx, &problem.Problem{Code: problem.BadField, Field: "room", Detail: "there is no such field"})
	}})
	for _, tc := range []struct{ path, contentType, want string }{
		{"/api/echo", "text/plain", `call=echo status=415 code=unsupported_media_type`},
		{"/api/nothing", "application/json", `call=unknown status=404 code=not_found`},
		{"/api/picky", "application/json", `call=picky status=400 code=bad_field field=room detail="there is no such field"`},
	} {
		resp, err := http.Post("http://"+s.Addr().String()+tc.path, tc.contentType, strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if text := log.String(); !strings.Contains(text, `msg="request refused" addr=127.0.0.1 `+tc.want) {
			t.Errorf("%s: %s", tc.path, text)
		}
	}
	http.DefaultClient.CloseIdleConnections()
}
