package server

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"github.com/seed58c87869/siren/codec/sio"
)

var (
	typeContext = reflect.TypeFor[context.Context]()
	typeSocket  = reflect.TypeFor[*Socket]()
	typeError   = reflect.TypeFor[error]()
)

// Connector is implemented by consumers that decide about connects; see Register.
type Connector interface {
	Connect(ctx context.Context, s *Socket, auth Raw) error
}

// Disconnecter is implemented by consumers that are told of their socket's end; see Register.
type Disconnecter interface {
	Disconnect(s *Socket, r Reason)
}

// Register serves a namespace, or all children of a parent, with consumers: make is called once for each connection, and
// the value it returns handles that connection's events. A method
//
//	func (c *Chat) EventChatMessage(ctx context.Context, s *server.Socket, m Msg) (Status, error)
//
// handles the event "chat_message", or, with options, one of another name: see EventNames and EventName. After the context
// and the socket come any number of arguments; the method returns an error, or a result for the acknowledgement and an
// error, or nothing. Connect and Disconnect are those of Connector and Disconnecter. The signatures are checked here; a
// wrong one is an error. Like the handlers of On0 and Reply0, the methods acknowledge by themselves, and an event has one
// of them. They are called by reflection, which costs some allocations per event: On0 and its like are the form for hot
// paths.
func Register[T any](on Space, make func() *T, opts ...RegisterOption) error {
	events, err := consumerMethods(make, opts)
	if err != nil {
		return err
	}
	if ns, ok := on.(*Namespace); ok && ns.unreachable {
		return fmt.Errorf("server: Register: no packet can carry the namespace %q", ns.name)
	}
	serveConsumers(on, make, events)
	return nil
}

// consumerMethods are the checked methods of a consumer by event.
func consumerMethods[T any](make func() *T, opts []RegisterOption) (map[string]*consumerMethod, error) {
	if make == nil {
		return nil, errors.New("server: Register needs a function that makes consumers")
	}
	t := reflect.TypeFor[*T]()
	names := newEventNaming(opts)
	events := map[string]*consumerMethod{}
	for i := range t.NumMethod() {
		m := t.Method(i)
		name, ok := names.event(m.Name)
		if !ok {
			continue
		}
		cm, err := newConsumerMethod(m)
		if err != nil {
			return nil, fmt.Errorf("server: Register: %s.%s: %w", t, m.Name, err)
		}
		if sio.Reserved(name) {
			return nil, fmt.Errorf("server: Register: %s.%s: %w", t, m.Name, reservedError(name))
		}
		if events[name] != nil {
			return nil, fmt.Errorf("server: Register: %s has two methods for the event %q", t, name)
		}
		events[name] = cm
	}
	if err := names.unused(); err != nil {
		return nil, fmt.Errorf("server: Register: %s: %w", t, err)
	}
	for name, hook := range consumerHooks {
		if m, ok := t.MethodByName(name); ok && !t.Implements(hook.iface) {
			return nil, fmt.Errorf("server: Register: %s.%s is %s; it must be %s", t, name, signature(m), hook.signature)
		}
	}
	if len(events) == 0 && !t.Implements(consumerHooks["Connect"].iface) && !t.Implements(consumerHooks["Disconnect"].iface) {
		return nil, fmt.Errorf("server: Register: %s has no exported method Event…, Connect or Disconnect", t)
	}
	return events, nil
}

// consumerHooks are the methods of consumers that handle no event.
var consumerHooks = map[string]struct {
	iface     reflect.Type
	signature string
}{
	"Connect":    {reflect.TypeFor[Connector](), "func(ctx context.Context, s *server.Socket, auth server.Raw) error"},
	"Disconnect": {reflect.TypeFor[Disconnecter](), "func(s *server.Socket, r server.Reason)"},
}

// signature is a method's type without its receiver.
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

// serveConsumers makes a consumer for each socket, and has its methods called.
func serveConsumers[T any](ns Space, make func() *T, events map[string]*consumerMethod) {
	key := NewKey[*T]("consumer")
	ns.OnConnect(func(ctx context.Context, s *Socket) error {
		c := make()
		key.Set(s, c)
		if h, ok := any(c).(Connector); ok {
			return h.Connect(ctx, s, Raw{JSON: s.Handshake().RawAuth()})
		}
		return nil
	})
	ns.OnDisconnect(func(s *Socket, r Reason) {
		if c, ok := key.Get(s); ok {
			if h, ok := any(c).(Disconnecter); ok {
				h.Disconnect(s, r)
			}
		}
	})
	for name, cm := range events {
		ns.handle(name, func(ctx context.Context, m *Message) error {
			c, ok := key.Get(m.s)
			if !ok {
				return errors.New("server: the socket connected before its namespace had consumers")
			}
			return cm.call(ctx, c, m)
		}, []HandlerOption{asTyped})
	}
}

// consumerMethod is a checked method. Immutable.
type consumerMethod struct {
	fn   reflect.Value
	args []reflect.Type
	out  bool
}

func newConsumerMethod(m reflect.Method) (*consumerMethod, error) {
	t := m.Type // with the receiver as its first argument
	wrong := ""
	switch {
	case t.NumIn() < 3 || t.In(1) != typeContext || t.In(2) != typeSocket:
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
	cm := &consumerMethod{fn: m.Func, out: t.NumOut() == 2}
	for i := 3; i < t.NumIn(); i++ {
		cm.args = append(cm.args, t.In(i))
	}
	return cm, nil
}

func (cm *consumerMethod) call(ctx context.Context, consumer any, m *Message) error {
	in := make([]reflect.Value, 3, 3+len(cm.args))
	in[0], in[1], in[2] = reflect.ValueOf(consumer), reflect.ValueOf(ctx), reflect.ValueOf(m.s)
	dst := make([]any, len(cm.args))
	for i, t := range cm.args {
		p := reflect.New(t)
		dst[i] = p.Interface()
		in = append(in, p.Elem())
	}
	if err := m.Decode(dst...); err != nil {
		return err
	}
	out := cm.fn.Call(in)
	if n := len(out); n > 0 {
		if err, _ := out[n-1].Interface().(error); err != nil {
			return err
		}
	}
	if cm.out {
		return m.reply(out[0].Interface())
	}
	return m.reply()
}
