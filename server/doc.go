// Package server is a Socket.IO server: protocol 5 over Engine.IO 4, on event loops that share nothing. Official
// Socket.IO clients connect to it unchanged.
//
// # Quick start
//
//	srv, err := server.New(server.Config{Logger: slog.Default()})
//	if err != nil {
//		return err
//	}
//	chat := srv.Of("/chat")
//	chat.OnConnect(func(ctx context.Context, s *server.Socket) error {
//		return s.Join("lobby")
//	})
//	server.Handle(chat, "chat_message", func(ctx context.Context, s *server.Socket, m Msg) (Status, error) {
//		_, err := chat.To("lobby").Emit("chat_message", m)
//		return Status{OK: err == nil}, err
//	})
//	return srv.ListenAndServe(ctx, "tcp://:3000")
//
// The words are Socket.IO's own (Of, To, In, Except, Local, Volatile, Emit, Join, Leave), so its documentation carries
// over.
//
// # Where handlers run
//
// Handlers of one socket run one at a time, in the order of its events, on a goroutine that exists only while there is
// work; they may block, and only their own socket waits. Inline runs a handler on the event loop instead: it must not
// block then, and what it is given is valid only in the call. Concurrent lets an event's handlers run beside each other.
// Of several handlers for an event one runs: a socket's own (Socket.On) before its namespace's, that before the parent's of
// a dynamic namespace (OfFunc, OfRegexp), and one of Once before that of On.
//
// The life of a socket is: middleware (Use), connect handlers (OnConnect), the CONNECT packet, events, and, if its
// connect handlers passed, disconnect handlers, once. Each handler gets the socket's context, which ends with the
// socket, with the Reason as its context.Cause.
//
// An error that a handler returns goes to the OnError hooks and, when the client asked for an acknowledgement, into
// that; a panic likewise. Neither ends the connection or the process. Clients read only what Refuse made.
//
// # What may be relied on
//
//  1. Messages of one goroutine to one socket arrive in the order of the calls: emits, broadcasts and acknowledgements.
//  2. A broadcast behind a Join of the same goroutine includes the joiner, and Rooms shows the room at once.
//  3. The receivers of a broadcast are fixed in one go on each loop; who joins later does not get it.
//  4. Events of one socket reach its handlers in order, but for those of Inline and Concurrent handlers.
//  5. A socket that ends is out of its rooms at once; its disconnect handlers run after the events before.
//  6. What connect handlers emit reaches the client behind its CONNECT packet, whoever emits it and however.
//  7. Sockets that one goroutine moves, fetches or disconnects with an Operator are so in the order of its broadcasts.
//  8. Emits return what is wrong, and each drop is counted (see Stats).
//
// # Many sockets
//
// An Operator says whom something is for, by rooms, and then emits to them, asks them (CallAll), fetches or counts them,
// moves them between rooms or disconnects them. With WithAdapter the sockets of other nodes are among them; Local leaves
// those out. An Emission does for one socket what an Operator's flags do for many.
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
// Server, Namespace, ParentNamespace, Socket, EngineSocket, Registration, Message, NodeMessage, Operator, Emission,
// RemoteSocket, Prepared and Key are safe for concurrent use, from handlers of every
// kind and from any other goroutine. Data is encoded in the call: arguments may be changed afterwards, except the ones of
// Prepare. Received data is the handler's own, except an Inline handler's Message.
//
// Values are encoded by the rules of codec/sio: as encoding/json does, but a []byte, at any depth, is a binary
// attachment, in both directions. Raw carries a value through without decoding it.
package server
