package consumer

import (
	"context"
	"fmt"
	"reflect"

	"github.com/seed58c87869/siren/server/internal/packets"
)

var (
	typeContext = reflect.TypeFor[context.Context]()
	typeError   = reflect.TypeFor[error]()
)

// Hook is a method of a consumer that handles no event. Immutable.
type Hook struct {
	Name string
	// Type is the interface that a consumer with such a method must implement.
	Type reflect.Type
	// Signature is what errors say about it.
	Signature string
}

// Method is a checked method that handles an event. Immutable.
type Method struct {
	fn   reflect.Value
	args []reflect.Type
	// Result reports whether the method returns a value besides its error.
	Result bool
}

// Methods returns the methods of a consumer type by event. socket is the type of the methods' second argument. The type
// must have a method for an event, or one of the hooks.
func Methods(consumer, socket reflect.Type, hooks []Hook, names *Names) (map[string]*Method, error) {
	events := map[string]*Method{}
	for i := range consumer.NumMethod() {
		m := consumer.Method(i)
		event, ok := names.event(m.Name)
		if !ok {
			continue
		}
		checked, err := check(m, socket)
		if err == nil {
			err = packets.CheckEvent(event)
		}
		if err != nil {
			return nil, fmt.Errorf("%s.%s: %w", consumer, m.Name, err)
		}
		if events[event] != nil {
			return nil, fmt.Errorf("%s has two methods for the event %q", consumer, event)
		}
		events[event] = checked
	}
	if err := names.unused(); err != nil {
		return nil, fmt.Errorf("%s: %w", consumer, err)
	}
	hooked, err := checkHooks(consumer, hooks)
	if err == nil && !hooked && len(events) == 0 {
		err = fmt.Errorf("%s has no exported method Event…, Connect or Disconnect", consumer)
	}
	return events, err
}

// checkHooks checks the signatures of hooks, and reports whether the type has any.
func checkHooks(consumer reflect.Type, hooks []Hook) (hooked bool, err error) {
	for _, h := range hooks {
		m, ok := consumer.MethodByName(h.Name)
		if ok && !consumer.Implements(h.Type) {
			return false, fmt.Errorf("%s.%s is %s; it must be %s", consumer, h.Name, signature(m), h.Signature)
		}
		hooked = hooked || ok
	}
	return hooked, nil
}

// signature returns a method's type without its receiver.
func signature(m reflect.Method) string {
	var in, out []reflect.Type
	for i := range m.Type.NumIn() - 1 {
		in = append(in, m.Type.In(i+1))
	}
	for i := range m.Type.NumOut() {
		out = append(out, m.Type.Out(i))
	}
	return reflect.FuncOf(in, out, m.Type.IsVariadic()).String()
}

// check returns the checked form of a method.
func check(m reflect.Method, socket reflect.Type) (*Method, error) {
	t := m.Type // with the receiver as its first argument
	wrong := ""
	switch {
	case t.NumIn() < 3 || t.In(1) != typeContext || t.In(2) != socket:
		wrong = "its first arguments must be context.Context and *server.Socket"
	case t.IsVariadic():
		wrong = "it must not be variadic; use server.Raw arguments or On"
	case t.NumOut() > 2 || (t.NumOut() > 0 && t.Out(t.NumOut()-1) != typeError):
		wrong = "it must return nothing, an error, or a result and an error"
	}
	if wrong != "" {
		return nil, fmt.Errorf("%s. It is %s; an event's method is like "+
			"func(ctx context.Context, s *server.Socket, a A, b B) (R, error), with any arguments behind s", wrong, signature(m))
	}
	checked := &Method{fn: m.Func, Result: t.NumOut() == 2}
	for i := 3; i < t.NumIn(); i++ {
		checked.args = append(checked.args, t.In(i))
	}
	return checked, nil
}

// Decoder decodes the arguments of an event, in order, into the values that dst points to.
type Decoder interface {
	Decode(dst ...any) error
}

// Call calls the method of a consumer with a socket and the decoded arguments. The error is the decoder's or the
// method's.
func (m *Method) Call(ctx context.Context, consumer, socket any, args Decoder) (result any, err error) {
	in := make([]reflect.Value, 3, 3+len(m.args))
	in[0], in[1], in[2] = reflect.ValueOf(consumer), reflect.ValueOf(ctx), reflect.ValueOf(socket)
	dst := make([]any, len(m.args))
	for i, t := range m.args {
		p := reflect.New(t)
		dst[i] = p.Interface()
		in = append(in, p.Elem())
	}
	if err := args.Decode(dst...); err != nil {
		return nil, err
	}
	out := m.fn.Call(in)
	if n := len(out); n > 0 {
		err, _ = out[n-1].Interface().(error)
	}
	if m.Result {
		result = out[0].Interface()
	}
	return result, err
}
