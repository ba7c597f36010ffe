// Package adminui lets the official Admin UI of Socket.IO (@socket.io/admin-ui, https://admin.socket.io) look at a
// server. The UI is a page that connects to a namespace of the server, /admin by default; this package serves that
// namespace.
//
//	ui, err := adminui.Instrument(srv, adminui.Options{
//		Username:       "admin",
//		PasswordBcrypt: "$2b$10$...",
//	})
//	if err != nil {
//		return err
//	}
//	defer ui.Close()
//
// The origin of the page has to be allowed, with credentials: Config.CORS of the server.
//
// In the mode Production the UI gets the numbers of each node, every two seconds. In the mode Development it also gets
// every socket, and every event that a client sends or receives; that is for development and small servers. While no UI
// is connected, the server does no work for it.
//
// What the reference leaves open has a bound here: see Options. What exceeds one is left out, and counted by
// UI.Dropped.
//
// A server with an adapter is a node of a cluster: a UI that is connected to one node sees the sockets and numbers of
// all nodes that use this package or the reference's, and its commands act on all of them.
package adminui
