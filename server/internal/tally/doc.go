// Package tally counts what happens on the event loops of a server, without locks and without memory that loops share.
//
// A Tally has a Loop for each event loop, whose numbers only that loop changes; a probe, which runs on the loop like
// any task, copies them. A Space counts for one namespace, or for several that are counted together, with a part for
// each loop: its numbers are atomic, so that they can be read without the loops, and no two loops write the same ones.
package tally
