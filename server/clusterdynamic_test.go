package server_test

import (
	"regexp"
	"testing"

	"github.com/seed58c87869/siren/server"
)

// Namespaces that clients make are in the cluster as long as they are there.
func TestClusterDynamic(t *testing.T) {
	n := newNodes(t, server.Config{CleanupEmptyChildNamespaces: true}, func(_ string, srv *server.Server) {
		srv.OfRegexp(regexp.MustCompile(`^/dyn-[a-z]$`))
	})
	a, _ := joined(t, n.srv["a"], "/dyn-x")
	for range 3 {
		b, _ := joined(t, n.srv["b"], "/dyn-x")
		if _, err := n.srv["a"].Lookup("/dyn-x").Emit("e"); err != nil {
			t.Error(err)
		}
		a.expect(`2/dyn-x,["e"]`)
		b.expect(`2/dyn-x,["e"]`)
		if c, err := n.srv["b"].Lookup("/dyn-x").Count(t.Context()); c != 2 || err != nil {
			t.Error(c, err)
		}
		b.close()
		eventually(t, "it is gone", func() bool { return n.srv["b"].Lookup("/dyn-x") == nil })
		eventually(t, "it has left the cluster", func() bool {
			p, err := n.adapters["a"].Peers(t.Context(), "/dyn-x")
			return p.Count == 0 && err == nil
		})
	}
}
