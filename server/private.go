package server

// PrivateFiles is an experiment for load tests on Linux with more connections than one process may have open files.
// Each event loop gets its own thread, listener and table of file descriptors, so that RLIMIT_NOFILE applies to each
// loop rather than to all together. See poller.Config.PrivateFiles for its restrictions; above all, handlers on the
// event loop (Inline) must not use files or sockets. It has no effect on an attached server.
func PrivateFiles() Option { return func(srv *Server) { srv.privateFiles = true } }
