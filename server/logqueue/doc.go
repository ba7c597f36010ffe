// Package logqueue puts a bounded queue in front of a slog.Handler, so that nobody who logs waits for the log.
//
// An event loop that writes a line to a pipe whose reader has stopped would stop too, and all its clients with it. A
// [Handler] takes records without blocking; a goroutine, which exists only while there are records, gives them to the
// handler behind it in their order, with the times at which they were made. Records that do not fit are left out and
// counted, and one line says how many when the log is back. No lock is held while the handler behind runs, so that it
// may call whatever it likes.
//
// Clients can cause warnings, as often as they like. Of the records at Warn and above with the same message, Burst
// pass within ten seconds; a line at the end of that time says how many were left out.
//
//	h := logqueue.New(slog.NewJSONHandler(os.Stderr, nil), logqueue.Limits{})
//	log := slog.New(h)
//	defer h.Flush(time.Second)
//
// Concurrency: all is safe for concurrent use.
package logqueue
