package server_test

import (
	"testing"

	"github.com/seed58c87869/siren/server"
)

// A shared key without a name is all of a socket's data, whatever its value is; other shared keys are then hidden.
func TestSharedKeyWithoutName(t *testing.T) {
	whole, other := server.NewKey[[]int]("", server.Shared()), server.NewKey[int]("other", server.Shared())
	n := newNodes(t, server.Config{}, nil)
	_, s := n.join("b")
	other.Set(s, 1)
	whole.Set(s, []int{1, 2})
	if got := string(s.Data().JSON); got != "[1,2]" {
		t.Error(got)
	}
	fetched, err := n.srv["a"].Of("/").FetchSockets(t.Context())
	if len(fetched) != 1 || err != nil {
		t.Fatal(fetched, err)
	}
	if v, ok, err := whole.From(fetched[0]); len(v) != 2 || !ok || err != nil {
		t.Error(v, ok, err)
	}
	if v, ok, err := other.From(fetched[0]); ok || err != nil {
		t.Error(v, ok, err)
	}
	whole.Delete(s)
	if got := string(s.Data().JSON); got != `{"other":1}` {
		t.Error(got)
	}
}
