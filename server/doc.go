// Package server is a Socket.IO server: protocol 5 over Engine.IO 4, on event loops that share nothing. Official
// Socket.IO clients connect to it unchanged.
//
// # Concepts
//
// A client opens one connection and joins one or more namespaces on it. In each it is a Socket, with an id. Events go
// both ways: an event has a name and arguments, and its sender may ask for an acknowledgement, which has arguments too.
// A socket may be in any number of rooms of its namespace. A room is a name; it begins with its first member.
//
//	Server        the listener, the event loops, the namespaces
//	Namespace     handlers, and all sockets that joined it (Server.Of; made by clients: OfFunc, OfRegexp)
//	Socket        one client in one namespace
//	Operator      the receivers of a broadcast: chat.To("lobby").Except("muted")
//	Message       a received event, for handlers of the raw message
//
// # The first day, and later
//
// On the first day one needs New and Config, Server.Of, Server.ListenAndServe and Server.Close; On1 and Reply1 with
// their kin for events, OnConnect and OnDisconnect, Use and Refuse for who may connect; Socket.Emit, Socket.Join,
// Socket.Leave and Socket.Broadcast; Namespace.To and Operator.Emit; Call to ask a client. All else has its day:
//
//	to ask without waiting           EmitAck, OnAck1, Ack
//	what belongs to a socket         NewKey, Key, SetUser, SetIdentity, SetDeadline
//	handlers as methods              Register
//	many sockets at once             FetchSockets, Count, Page, SocketsJoin, DisconnectSockets, CallAll, AskAll
//	rooms as they come and go        OnRoom, RoomPage, TopRooms
//	an event that is sent often      Prepare, EmitPrepared
//	namespaces that clients name     OfFunc, OfRegexp, ParentNamespace
//	lost connections                 Recovery, Recovered
//	several nodes                    WithAdapter, RemoteSocket, ServerSideEmit, NodeMessage
//	a program's own HTTP server      Handler, Start
//	running it                       Stats, LoopStats, SetCORS, LevelChanged, CloseError
//	other encodings                  JSON, and package parser
//	without Socket.IO                package engineio
//	tests and simulations            package servertest; PrivateFiles
//
// # The smallest program
//
//	package main
//
//	import (
//		"context"
//		"log"
//
//		"github.com/seed58c87869/siren/server"
//	)
//
//	func main() {
//		srv, err := server.New(server.Config{})
//		if err != nil {
//			log.Fatal(err)
//		}
//		server.Reply1(srv.Of("/"), "hello", func(ctx context.Context, s *server.Socket, name string) (string, error) {
//			return "Hello " + name, nil
//		})
//		log.Fatal(srv.ListenAndServe(context.Background(), "tcp://:3000"))
//	}
//
// In a browser, with the official client: await io("http://localhost:3000").emitWithAck("hello", "Ann").
//
// # Handlers
//
// The number in a function's name is the number of the handler's arguments. The handlers of On0 to On3 have no result.
// Those of Reply0 to Reply3 return the acknowledgement. Those of OnAck0 to OnAck3 acknowledge themselves. Arguments are
// decoded into the handler's types. Namespace.On takes a handler of the raw Message, and Register the methods of a
// value that is made for each connection.
//
//	chat := srv.Of("/chat")
//	chat.Use(func(ctx context.Context, s *server.Socket) error {        // may it connect?
//		var auth struct{ Token string }
//		if err := s.Handshake().Auth(&auth); err != nil || !valid(auth.Token) {
//			return server.Refuse("sign in", nil)                        // sent to the client
//		}
//		return nil
//	})
//	chat.OnConnect(func(ctx context.Context, s *server.Socket) error { // it may
//		return s.Join("lobby")
//	})
//	server.Reply1(chat, "say", func(ctx context.Context, s *server.Socket, m Msg) (Status, error) {
//		_, err := chat.To("lobby").Emit("said", m)
//		return Status{OK: err == nil}, err
//	})
//	name, err := server.Call[string](ctx, s, "your name?")             // asks a client, and waits
//
// The terms are Socket.IO's (Of, To, In, Except, Local, Volatile, Emit, Join, Leave), so its documentation applies.
// docs/from-node.md compares its calls with ours.
//
// # Where handlers run
//
// Handlers of one socket run one at a time, in the order of its events, on a goroutine that exists only while there is
// work; they may block, and only their own socket waits. Inline runs a handler on the event loop instead: it must not
// block then, and what it is given is valid only in the call. Concurrent lets an event's handlers run beside each
// other. An event may have several handlers of On, and all of them run in the order in which they were added; of On0
// and its like it has one. A socket's own handlers of an event (Socket.On) take the place of its namespace's, and those
// of a child the place of its parent's (OfFunc, OfRegexp).
//
// A socket runs through middleware (Use), connect handlers (OnConnect), the CONNECT packet, events, and, if its connect
// handlers passed, disconnect handlers, once. Each handler gets the socket's context, which ends with the socket; its
// context.Cause is the Reason. Socket.SetDeadline calls the handlers of OnDeadline at a later time, for instance when a
// token expires.
//
// An error that a handler returns goes to the OnError hooks and into the acknowledgement, if the client asked for one.
// A panic does the same. Neither ends the connection or the process. Clients see only the text of errors that Refuse
// made.
//
// # Guarantees
//
//  1. Messages from one goroutine to one socket arrive in the order of the calls: emits, broadcasts and
//     acknowledgements.
//  2. A broadcast after a Join of the same goroutine includes the joiner, and Rooms shows the room at once.
//  3. Each loop fixes the receivers of a broadcast in one go; a socket that joins later does not get it.
//  4. Events of one socket reach its handlers in order, except those of Inline and Concurrent handlers.
//  5. A socket that ends leaves its rooms at once; its disconnect handlers run after its earlier events.
//  6. Packets emitted to a socket in its connect handlers, by whatever call, arrive after its CONNECT packet.
//  7. Moving, fetching and disconnecting sockets with an Operator are in order with the same goroutine's broadcasts.
//  8. Emits return errors, and each dropped packet is counted (see Stats).
//
// # Many sockets
//
// An Operator selects sockets, by rooms, and then emits to them, asks them (CallAll), fetches or counts them, moves
// them between rooms or disconnects them. With WithAdapter it also selects sockets of other nodes; Local excludes
// those. An Emission is for one socket what an Operator's flags are for many.
//
//	for vote, err := range server.CallAll[int](ctx, chat.To("lobby").Timeout(2*time.Second), "poll") {
//		var missing *server.MissingError
//		if errors.As(err, &missing) {
//			break // so many did not answer in time: missing.Clients
//		}
//		sum += vote
//	}
//	err = chat.To("lobby").Except("muted").SocketsJoin("speakers")
//	sockets, err := chat.To("speakers").FetchSockets(ctx)
//
// # Concurrency
//
// Server, Namespace, ParentNamespace, Socket, Registration, Message, NodeMessage, Operator, Emission, RemoteSocket,
// Prepared and Key are safe for concurrent use, from handlers of every kind and from any other goroutine. Data is
// encoded in the call: arguments may change afterwards, except those of Prepare. Received data belongs to the handler,
// except an Inline handler's Message.
//
// Values are encoded by the rules of codec/sio: as encoding/json does, but a []byte, at any depth, is a binary
// attachment, in both directions, and an error is an object with its message. Raw carries a value through without
// decoding it.
//
// # Limits
//
// Everything that can fill up has a limit in Config, with a default and its reason: messages, rooms, queues for slow
// clients and for a socket's handlers, connections. What exceeds a limit is refused with an error, or disconnected, and
// counted in Stats.
//
// # Further reading
//
// The examples below; package servertest, for tests without a network; in the repository, docs/tutorial, which builds a
// chat, docs/settings.md, which lists the fields of Config, docs/embedding.md on servers in net/http programs and
// behind proxies, docs/deployment.md on production, and ARCHITECTURE.md on how it works inside.
package server
