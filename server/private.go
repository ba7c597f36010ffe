package server

// PrivateFiles is an experiment for load tests on Linux, with more connections than one process may have open files:
// each event loop gets a thread, a listener and a table of file descriptors of its own, so that RLIMIT_NOFILE holds for each
// loop and not for all together. See poller.Config.PrivateFiles for what that forbids; above all, handlers that run on the
// event loop (Inline) must not touch files or sockets. It has no effect on an attached server.
func PrivateFiles() Option { return func(srv *Server) { srv.privateFiles = true } }
