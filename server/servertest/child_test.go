package servertest_test

import (
	"context"
	"testing"

	"github.com/seed58c87869/siren/server"
	"github.com/seed58c87869/siren/server/servertest"
)

// Looking at a client's socket keeps no child namespace alive that the server would remove.
func TestSocketKeepsNoChild(t *testing.T) {
	ts := servertest.New(t, server.Config{CleanupEmptyChildNamespaces: true})
	ts.OfFunc(func(context.Context, string, server.Raw) bool { return true })
	c := ts.Connect("/child", nil)
	if c.Socket() == nil || c.Socket().Namespace() != ts.Lookup("/child") {
		t.Fatal("the socket was not found")
	}
	c.Disconnect()
	if ts.Lookup("/child") != nil || c.Socket() != nil {
		t.Error("the child is there still")
	}
}
