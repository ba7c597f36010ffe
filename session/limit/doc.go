// Package limit has the parts of the limits of clients: token buckets for what one connection sends, a bucket that all
// event loops share for new sessions, and a bounded table of the sessions and refusals of client addresses.
//
// Time is a number of nanoseconds on any monotonic clock, the same for all calls. A Bucket and a Flow are loop-owned;
// Shared and Table are safe for concurrent use, and are used when sessions begin and end, never for a message.
package limit
