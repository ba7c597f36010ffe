package server

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"github.com/seed58c87869/siren/server/internal/consumer"
)

// Connector is implemented by consumers that decide about connects; see Register.
type Connector interface {
	Connect(ctx context.Context, s *Socket, auth Raw) error
}

// Disconnecter is implemented by consumers that are told of their socket's end; see Register.
type Disconnecter interface {
	Disconnect(s *Socket, r Reason)
}

// RegisterOption changes which events the methods of a consumer handle; see Register.
type RegisterOption func(n *consumer.Names)

// EventNames has Register name events by the rule given, such as CamelCase. The rule gets the part of a method's name
// behind Event: "ChatMessage" for EventChatMessage. Default SnakeCase.
func EventNames(rule func(method string) string) RegisterOption {
	need(rule != nil, "EventNames")
	return func(n *consumer.Names) { n.Rule = rule }
}

// EventName has Register use a method for the event of that name, whatever the rule says. The method's name is given in
// full and need not begin with Event: EventName("Say", "chat message").
func EventName(method, event string) RegisterOption {
	return func(n *consumer.Names) { n.Name(method, event) }
}

// SnakeCase is a rule for EventNames: ChatMessage is "chat_message".
func SnakeCase(method string) string { return consumer.Snake(method) }

// KebabCase is a rule for EventNames: ChatMessage is "chat-message".
func KebabCase(method string) string { return consumer.Kebab(method) }

// CamelCase is a rule for EventNames: ChatMessage is "chatMessage", and HTTPGet "httpGet".
func CamelCase(method string) string { return consumer.Camel(method) }

// consumerHooks are the methods of consumers that handle no event.
var consumerHooks = []consumer.Hook{
	{Name: "Connect", Type: reflect.TypeFor[Connector](), Signature: "func(ctx context.Context, s *server.Socket, auth server.Raw) error"},
	{Name: "Disconnect", Type: reflect.TypeFor[Disconnecter](), Signature: "func(s *server.Socket, r server.Reason)"},
}

// Register serves a namespace, or all children of a parent, with consumers: make is called once for each connection,
// and the value it returns handles that connection's events. A method
//
//	func (c *Chat) EventChatMessage(ctx context.Context, s *server.Socket, m Msg) (Status, error)
//
// handles the event "chat_message", or, with options, one of another name: see EventNames and EventName. After the
// context and the socket come any number of arguments; the method returns an error, or a result for the acknowledgement
// and an error, or nothing. Connect and Disconnect are those of Connector and Disconnecter. The signatures are checked
// here; a wrong one is an error. Like the handlers of On0 and Reply0, the methods acknowledge by themselves, and an
// event has one of them. They are called by reflection, which costs some allocations per event: On0 and its like are
// the form for hot paths.
func Register[T any](on Space, make func() *T, opts ...RegisterOption) error {
	if make == nil {
		return errors.New("server: Register needs a function that makes consumers")
	}
	names := new(consumer.Names)
	for _, o := range opts {
		o(names)
	}
	events, err := consumer.Methods(reflect.TypeFor[*T](), reflect.TypeFor[*Socket](), consumerHooks, names)
	if err != nil {
		return fmt.Errorf("server: Register: %w", err)
	}
	if ns, ok := on.(*Namespace); ok && ns.unreachable {
		return fmt.Errorf("server: Register: no packet can carry the namespace %q", ns.name)
	}
	serveConsumers(on, make, events)
	return nil
}

// serveConsumers makes a consumer for each socket, and has its methods called.
func serveConsumers[T any](ns Space, make func() *T, events map[string]*consumer.Method) {
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
	for name, method := range events {
		ns.handle(name, func(ctx context.Context, m *Message) error {
			c, ok := key.Get(m.s)
			if !ok {
				return errors.New("server: the socket connected before its namespace had consumers")
			}
			result, err := method.Call(ctx, c, m.s, m)
			switch {
			case err != nil:
				return err
			case method.Result:
				return m.reply(result)
			}
			return m.reply()
		}, []HandlerOption{asTyped})
	}
}
