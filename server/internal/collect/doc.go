// Package collect waits for answers: the acknowledgements of clients, the event loops that look at their sockets, and
// other nodes.
//
//	Wait       one wait for answers, which ends exactly once
//	Waits      all unfinished waits of a server, which it ends when it closes
//	Debts      the acknowledgements that the client of a socket owes, by packet id
//	IDs        the packet ids of broadcasts that wait for acknowledgements
//	Census     a wait for the event loops to note their sockets
//	Gather     a wait for other nodes that answer once each
//	Questions  the questions to other nodes, and theirs, by id
//
// It knows nothing of sockets and namespaces: an Inquiry of the caller gets the answers.
package collect
