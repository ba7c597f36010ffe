package consumer

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/seed58c87869/siren/server/internal/packets"
)

type socket struct{}

// hook is a method that handles no event.
type hook interface{ Connect() }

var hooks = []Hook{{"Connect", reflect.TypeFor[hook](), "func()"}}

type good struct{ calls []string }

func (g *good) EventMove(_ context.Context, _ *socket, x, y int) (int, error) {
	if x < 0 {
		return 0, errors.New("negative")
	}
	return x + y, nil
}
func (g *good) EventPing(context.Context, *socket)        { g.calls = append(g.calls, "ping") }
func (g *good) EventFail(context.Context, *socket) error  { return errors.New("failed") }
func (g *good) Eventual(int) int                          { return 0 }
func (g *good) Say(_ context.Context, _ *socket, _ []int) {}

func TestMethods(t *testing.T) {
	names := new(Names)
	names.Name("Say", "say it")
	events, err := Methods(reflect.TypeFor[*good](), reflect.TypeFor[*socket](), hooks, names)
	if err != nil {
		t.Fatal(err)
	}
	for event, result := range map[string]bool{"move": true, "ping": false, "fail": false, "say it": false} {
		if m := events[event]; m == nil || m.Result != result {
			t.Errorf("%s: %+v", event, m)
		}
	}
	if len(events) != 4 {
		t.Error(events)
	}
}

// arguments stand for those of an event.
type arguments []int

func (a arguments) Decode(dst ...any) error {
	if len(a) < len(dst) {
		return packets.ErrDecode
	}
	for i, d := range dst {
		*d.(*int) = a[i]
	}
	return nil
}

func TestCall(t *testing.T) {
	g := new(good)
	events, err := Methods(reflect.TypeFor[*good](), reflect.TypeFor[*socket](), hooks, new(Names))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		event  string
		args   arguments
		result any
		err    string
	}{
		{"move", arguments{1, 2}, 3, ""},
		{"move", arguments{1}, nil, packets.ErrDecode.Error()},
		{"move", arguments{-1, 2}, 0, "negative"},
		{"ping", nil, nil, ""},
		{"fail", nil, nil, "failed"},
	} {
		result, err := events[test.event].Call(t.Context(), g, new(socket), test.args)
		if result != test.result || (err == nil) != (test.err == "") || err != nil && err.Error() != test.err {
			t.Errorf("%s(%v): got %v, %v", test.event, test.args, result, err)
		}
	}
	if !slices.Equal(g.calls, []string{"ping"}) {
		t.Error(g.calls)
	}
}

type (
	nothing  struct{}
	noSocket struct{}
	variadic struct{}
	badHook  struct{}
	noError  struct{}
	onlyHook struct{}
	taken    struct{}
)

func (noSocket) EventA(context.Context, int)                     {}
func (variadic) EventA(_ context.Context, _ *socket, _ ...int)   {}
func (badHook) Connect(int)                                      {}
func (noError) EventA(context.Context, *socket) (int, int)       { return 0, 0 }
func (onlyHook) Connect()                                        {}
func (taken) EventConnect(context.Context, *socket)              {}
func (taken) EventDisconnect(context.Context, *socket)           {}
func (taken) EventOther(_ context.Context, _ *socket, _, _ int)  {}
func (taken) EventAnother(_ context.Context, _ *socket, _ error) {}

// TestMistakes shows what Methods refuses.
func TestMistakes(t *testing.T) {
	twice := new(Names)
	twice.Name("EventPing", "move")
	typo := new(Names)
	typo.Name("Sayy", "say")
	for want, test := range map[string]struct {
		consumer reflect.Type
		names    *Names
	}{
		"no exported method Event":                          {reflect.TypeFor[nothing](), new(Names)},
		"must be context.Context and *server.Socket":        {reflect.TypeFor[noSocket](), new(Names)},
		"must not be variadic":                              {reflect.TypeFor[variadic](), new(Names)},
		"Connect is func(int); it must be func()":           {reflect.TypeFor[badHook](), new(Names)},
		"a result and an error":                             {reflect.TypeFor[noError](), new(Names)},
		packets.ErrReserved.Error():                         {reflect.TypeFor[taken](), new(Names)},
		"has two methods for the event \"move\"":            {reflect.TypeFor[*good](), twice},
		`EventName("Sayy", "say"): there is no exported me`: {reflect.TypeFor[*good](), typo},
	} {
		_, err := Methods(test.consumer, reflect.TypeFor[*socket](), hooks, test.names)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", test.consumer, err, want)
		}
	}
	if events, err := Methods(reflect.TypeFor[onlyHook](), reflect.TypeFor[*socket](), hooks, new(Names)); err != nil || len(events) != 0 {
		t.Error(events, err)
	}
}

func TestRules(t *testing.T) {
	for method, want := range map[string][3]string{
		"ChatMessage": {"chat_message", "chat-message", "chatMessage"},
		"HTTPGetV2":   {"http_get_v2", "http-get-v2", "httpGetV2"},
		"Ping":        {"ping", "ping", "ping"},
		"ID":          {"id", "id", "id"},
	} {
		if got := [3]string{Snake(method), Kebab(method), Camel(method)}; got != want {
			t.Errorf("%s: got %q, want %q", method, got, want)
		}
	}
}
