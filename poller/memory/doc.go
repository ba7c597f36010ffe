// Package memory bounds the memory that all clients of a process hold together.
//
// Limits of single clients cannot do that: a hundred clients within their limits may hold more than a small machine
// has. So the [Ledger] of each event loop counts everything that waits for a client, or was sent by one and is not
// handled, and a [Budget] compares the sum of all ledgers with its limit. Above the limit it ends the clients that hold
// most, until an eighth of the limit is free again.
//
// Frames count as what they take in memory: a frame that waits for ten thousand connections of a loop exists once, and
// counts once on that loop.
//
// # Rounds
//
// Clients are ended in rounds, which find the largest holders of all loops without a lock, and without a search that
// stalls a loop. A round has two steps, each a task on every loop. The survey adds up the holders' bytes by powers of
// two, and a threshold follows from the sums. The cut ends holders that reach the threshold, until enough is free.
//
// Bytes that leave at the end of a loop's turn count too, but end nobody: a holder is listed only while it waits for
// its client or for a handler. When the listed holders hold less than half of the sum, a burst is being written, and
// the round ends nobody.
package memory
