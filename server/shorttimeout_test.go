package server_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/seed58c87869/siren/server"
)

// must returns what cannot fail.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// A time-out of some nanoseconds is a number whose unit was forgotten: whatever is sent or asked with it fails.
func TestShortTimeout(t *testing.T) {
	srv := start(t, server.Config{}, nil)
	_, id := joined(t, srv, "/")
	ns := srv.Of("/")
	s, prepared := ns.Socket(id), must(server.Prepare("e"))
	one, many := s.Timeout(5), ns.Timeout(5)
	_, request := one.Request(t.Context(), "e")
	_, emit := many.Emit("e")
	_, emitPrepared := many.EmitPrepared(prepared)
	_, fetch := many.FetchSockets(t.Context())
	_, count := many.Count(t.Context())
	var all []error
	for _, err := range server.CallAll[int](t.Context(), many, "e") {
		all = append(all, err)
	}
	for name, err := range map[string]error{
		"Emit to one": one.Emit("e"), "EmitPrepared to one": one.EmitPrepared(prepared), "Request": request,
		"EmitAck to one": one.EmitAck(t.Context(), "e", func(server.Reply, error) { t.Error("called") }),
		"Emit":           emit, "EmitPrepared": emitPrepared, "FetchSockets": fetch, "Count": count, "CallAll": errors.Join(all...),
		"EmitAck": many.EmitAck(t.Context(), "e", func([]server.Reply, error) { t.Error("called") }),
	} {
		if !errors.Is(err, server.ErrShortTimeout) || !strings.Contains(err.Error(), "Timeout(5) is 5ns") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := errors.Join(s.Timeout(0).Emit("e"), s.Timeout(time.Millisecond).Emit("e")); err != nil {
		t.Error(err)
	}
}

// So is a time of the configuration.
func TestShortTimesOfConfig(t *testing.T) {
	for field, cfg := range map[string]server.Config{
		"PingInterval":              {PingInterval: 25_000},
		"ConnectTimeout":            {ConnectTimeout: 45_000},
		"AckTimeout":                {AckTimeout: 5_000},
		"RequestTimeout":            {RequestTimeout: 5_000},
		"AttachmentTimeout":         {AttachmentTimeout: 1},
		"CloseTimeout":              {CloseTimeout: 1},
		"WriteTimeout":              {WriteTimeout: 1},
		"Recovery.MaxDisconnection": {Recovery: server.Recovery{MaxDisconnection: 2 * 60 * 1000}},
		"CORS.MaxAge":               {CORS: server.CORS{Origins: []string{"*"}, MaxAge: 600}},
		"Cookie.MaxAge":             {Cookie: server.Cookie{Name: "io", MaxAge: 3600}},
	} {
		if _, err := server.New(cfg); err == nil || !strings.Contains(err.Error(), "Config."+field+" = ") {
			t.Errorf("%s: %v", field, err)
		}
	}
	srv := must(server.New(server.Config{}))
	if err := srv.Of("/").Configure(server.NamespaceConfig{AckTimeout: 5000}); err == nil || !strings.Contains(err.Error(), "AckTimeout = 5µs") {
		t.Error(err)
	}
	_, err := server.New(server.Config{CORS: server.CORS{Origins: []string{"*"}, Credentials: true}})
	if err == nil || !strings.Contains(err.Error(), "browsers refuse both together") {
		t.Error(err)
	}
}
