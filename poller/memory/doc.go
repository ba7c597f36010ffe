// Package memory bounds the memory that all clients of a process hold together.
//
// Limits of single clients cannot do that: a hundred clients within their limits may hold more than a small machine
// has. So everything that waits for a client, or was sent by it and is not handled, is entered in the [Ledger] of an
// event loop, and a [Budget] compares the sum of all ledgers with its limit. Above the limit it has those clients
// ended that hold the most, until an eighth of the limit is free again.
//
// Frames are counted by what they take in memory: a frame that waits for ten thousand connections of a loop is there
// once, and counts once on that loop.
//
// # Rounds
//
// The end of clients is decided in rounds, so that the largest holders of all loops are found without a lock and
// without a search that stalls a loop. A round has two steps, each a task on every loop: the survey adds up what
// holders hold, by powers of two; from these sums follows a threshold; the cut ends holders from the threshold on,
// until enough is free.
//
// Bytes that wait for the end of a loop's turn count too, but end nobody: holders are listed only while they do not
// move on by themselves. When those hold less than half of what is held, a burst is being written, and the round ends
// nobody.
package memory
