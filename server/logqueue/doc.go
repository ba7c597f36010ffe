// Package logqueue puts a bounded queue in front of a slog.Handler, so that loggers never wait for the log.
//
// An event loop that writes a line to a pipe whose reader has stopped would stop too, with all its clients. A [Handler]
// takes records without blocking. A goroutine, which exists only while there are records, passes them to the next
// handler in order, with their original times. Records that do not fit are left out and counted, and one line reports
// their number when the log is back. No lock is held while the next handler runs, so it may call anything.
//
// Clients can cause warnings at will. Of the records at Warn and above with the same message, Burst pass within ten
// seconds; a line at the end of that time reports how many were left out.
//
//	h := logqueue.New(slog.NewJSONHandler(os.Stderr, nil), logqueue.Limits{})
//	log := slog.New(h)
//	defer h.Flush(time.Second)
//
// All of the package is safe for concurrent use.
package logqueue
