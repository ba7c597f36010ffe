package server_test

import (
	"testing"

	"github.com/seed58c87869/siren/server"
)

// A client that is sent more than its test reads can be closed all the same: a run of tests must not wait for room that
// nobody makes.
func TestKitClientClosesUnread(t *testing.T) {
	srv := start(t, server.Config{Loops: 1, Queue: server.Queue{MaxBytes: 32 << 20}}, nil)
	c, _ := joined(t, srv, "/")
	for n := 0; n < 2*cap(c.in); n++ {
		if _, err := srv.Emit("x"); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "more than it takes", func() bool { return len(c.in) == cap(c.in) })
	c.close()
	c.close()
}
