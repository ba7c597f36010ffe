// Package million puts a million clients on one machine, with real sockets, and counts that all of them get what is
// broadcast. [Run] looks at the machine ([Look]), decides how many event loops and client processes the limit of open
// files asks for ([Machine.Plan]), starts a server of its own and the client processes, and measures: the rate of
// connecting, the server's memory, and the time until the last client has a broadcast.
//
// A process may not open as many files as it likes. Where the limit is below the number of clients, each event loop of
// the server gets a table of file descriptors of its own, to which the limit then applies (server.PrivateFiles). The
// kernel spreads connections over the loops by chance, so each table has room for more than its share.
//
// It needs Linux. Plans and machines are plain values.
package million
