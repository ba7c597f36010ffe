package server

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"unicode"

	"github.com/seed58c87869/siren/codec/sio"
)

var (
	typeContext = reflect.TypeFor[context.Context]()
	typeSocket  = reflect.TypeFor[*Socket]()
	typeError   = reflect.TypeFor[error]()
)

// Connector is what a consumer may implement to be asked when its socket connects; see Register.
type Connector interface {
	Connect(ctx context.Context, s *Socket, auth Raw) error
}

// Disconnecter is what a consumer may implement to be told of its socket's end; see Register.
type Disconnecter interface {
	Disconnect(s *Socket, r Reason)
}

// Register serves a namespace, or all children of a parent, with consumers: make is called once for each connection, and the value it returns
// handles that connection's events. A method
//
//	func (c *Chat) EventChatMessage(ctx context.Context, s *server.Socket, m Msg) (Status, error)
//
// handles the event "chat_message": after the context and the socket come any number of arguments; it returns an
// error, or a result for the acknowledgement and an error, or nothing. Connect and Disconnect are those of Connector
// and Disconnecter. The signatures are checked here; a wrong one is an error. Methods are called by reflection, which
// costs some allocations per event: On0 and its like are the form for hot paths.
func Register[T any](on Space, make func() *T) error {
	events, err := consumerMethods(make)
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
func consumerMethods[T any](make func() *T) (map[string]*consumerMethod, error) {
	if make == nil {
		return nil, errors.New("server: Register needs a function that makes consumers")
	}
	t := reflect.TypeFor[*T]()
	events := map[string]*consumerMethod{}
	for i := range t.NumMethod() {
		m := t.Method(i)
		name, ok := eventName(m.Name)
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
	for _, name := range []string{"Connect", "Disconnect"} {
		if m, ok := t.MethodByName(name); ok && !implementsHook(t, name) {
			return nil, fmt.Errorf("server: Register: %s.%s has the signature %s, which is not that of the hook", t, name, m.Type)
		}
	}
	if len(events) == 0 && !implementsHook(t, "Connect") && !implementsHook(t, "Disconnect") {
		return nil, fmt.Errorf("server: Register: %s has no exported method Event…, Connect or Disconnect", t)
	}
	return events, nil
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
		}, nil)
	}
}

func implementsHook(t reflect.Type, name string) bool {
	if name == "Connect" {
		return t.Implements(reflect.TypeFor[Connector]())
	}
	return t.Implements(reflect.TypeFor[Disconnecter]())
}

// eventName is the event that a method handles: EventChatMessage handles chat_message. A method such as Eventual
// handles none.
func eventName(method string) (string, bool) {
	rest, ok := strings.CutPrefix(method, "Event")
	runes := []rune(rest)
	if !ok || rest == "" || unicode.IsLower(runes[0]) {
		return "", false
	}
	var b strings.Builder
	for i, r := range runes {
		if unicode.IsUpper(r) && i > 0 && (!unicode.IsUpper(runes[i-1]) || (i+1 < len(runes) && unicode.IsLower(runes[i+1]))) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String(), true
}

// consumerMethod is a checked method. Immutable.
type consumerMethod struct {
	fn   reflect.Value
	args []reflect.Type
	out  bool
}

func newConsumerMethod(m reflect.Method) (*consumerMethod, error) {
	t := m.Type // with the receiver as its first argument
	switch {
	case t.NumIn() < 3 || t.In(1) != typeContext || t.In(2) != typeSocket:
		return nil, errors.New("its first arguments must be context.Context and *server.Socket")
	case t.IsVariadic():
		return nil, errors.New("it must not be variadic; use server.Raw arguments or On")
	case t.NumOut() > 2 || (t.NumOut() > 0 && t.Out(t.NumOut()-1) != typeError):
		return nil, errors.New("it must return nothing, an error, or a result and an error")
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
