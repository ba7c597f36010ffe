package servertest

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/seed58c87869/siren/codec/sio"
	"github.com/seed58c87869/siren/server"
)

// Event is an event from the server, or the arguments of an acknowledgement, which has no name. Immutable.
type Event struct {
	Name string
	Args []server.Raw
	c    *Client
	id   uint64
	// asks means that the server wants an acknowledgement.
	asks bool
}

func newEvent(c *Client, p *sio.Packet, attachments [][]byte) Event {
	e := Event{Name: string(p.Event), c: c, id: p.ID, asks: p.HasID}
	for arg, rest := sio.NextArg(p.Args); arg != nil; arg, rest = sio.NextArg(rest) {
		e.Args = append(e.Args, server.Raw{JSON: arg, Attachments: attachments}.Clone())
	}
	return e
}

// Decode decodes the arguments, in order, into the values that dst points to. A dst without an argument stays
// unchanged, and a nil dst skips its argument.
func (e Event) Decode(dst ...any) error {
	for i, d := range dst {
		if i >= len(e.Args) || d == nil {
			continue
		}
		if err := e.Args[i].Unmarshal(d); err != nil {
			return fmt.Errorf("argument %d: %w", i, err)
		}
	}
	return nil
}

// WantsAck reports whether the server waits for an acknowledgement.
func (e Event) WantsAck() bool { return e.asks }

// Ack acknowledges the event.
func (e Event) Ack(args ...any) {
	e.c.ts().t.Helper()
	if !e.asks {
		e.c.ts().t.Fatalf("servertest: Ack: the server has not asked for an acknowledgement of %v", e)
	}
	e.c.ack(e.id, args)
	e.c.ts().did()
}

// String returns the event as a call: name(1, "two").
func (e Event) String() string {
	args := make([]string, len(e.Args))
	for i, a := range e.Args {
		if args[i] = string(a.JSON); len(a.Attachments) > 0 {
			var v any
			if a.Unmarshal(&v) == nil {
				args[i] = fmt.Sprintf("%v", v)
			}
		}
	}
	return e.Name + "(" + strings.Join(args, ", ") + ")"
}

// differs returns the difference to the wanted arguments: pointers are decoded into, other values compared as JSON.
func (e Event) differs(event string, want []any) string {
	if e.Name != event {
		return "another event came"
	}
	for i, w := range want {
		if v := reflect.ValueOf(w); v.Kind() == reflect.Pointer && !v.IsNil() {
			if i >= len(e.Args) {
				return fmt.Sprintf("there is no argument %d", i)
			}
			if err := e.Args[i].Unmarshal(w); err != nil {
				return fmt.Sprintf("argument %d: %v", i, err)
			}
			continue
		}
		if i >= len(e.Args) {
			return fmt.Sprintf("there is no argument %d", i)
		}
		if !same(e.Args[i], w) {
			return fmt.Sprintf("argument %d is %s", i, Event{Args: e.Args[i : i+1]})
		}
	}
	return ""
}

// same compares an argument with a Go value.
func same(got server.Raw, want any) bool {
	text, attachments, err := sio.AppendEvent(nil, "/", -1, "x", []any{want})
	var p sio.Packet
	if err != nil || sio.Parse(text, &wideLimits, &p) != nil {
		return false
	}
	var g, w any
	return got.Unmarshal(&g) == nil && (server.Raw{JSON: p.Args, Attachments: attachments}).Unmarshal(&w) == nil && reflect.DeepEqual(g, w)
}

// describe writes a call as Event.String does.
func describe(event string, args []any) string {
	texts := make([]string, len(args))
	for i, a := range args {
		if v := reflect.ValueOf(a); v.Kind() == reflect.Pointer && !v.IsNil() {
			texts[i] = "a " + v.Elem().Type().String()
		} else if text, attachments, err := sio.AppendEvent(nil, "/", -1, "x", []any{a}); err == nil && len(attachments) == 0 {
			texts[i] = strings.TrimSuffix(strings.TrimPrefix(string(text), `2["x",`), "]")
		} else {
			texts[i] = fmt.Sprintf("%v", a)
		}
	}
	return event + "(" + strings.Join(texts, ", ") + ")"
}

// list formats events, one per line.
func list(events []Event) string {
	if len(events) == 0 {
		return "nothing"
	}
	var b strings.Builder
	for _, e := range events {
		b.WriteString("\n\t" + e.String())
	}
	return b.String()
}
