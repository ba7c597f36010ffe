package peers

import (
	"testing"

	"github.com/seed58c87869/siren/room/cluster"
)

// A rollcall by name, by number, and before it is known who is there.
func TestRoll(t *testing.T) {
	named := cluster.Peers{Count: 2, Nodes: []string{"b", "a"}}
	for name, test := range map[string]struct {
		before  []string
		peers   cluster.Peers
		after   []string
		missing int
		ids     []string
	}{
		"nobody":          {},
		"all missing":     {peers: named, missing: 2, ids: []string{"a", "b"}},
		"one twice":       {peers: named, after: []string{"b", "b"}, missing: 1, ids: []string{"a"}},
		"a stranger":      {peers: named, after: []string{"c", "a"}, missing: 1, ids: []string{"b"}},
		"early":           {before: []string{"a", "c"}, peers: named, after: []string{"b"}},
		"without a name":  {peers: named, after: []string{"", "a"}, missing: 0, ids: []string{"b"}},
		"by number":       {before: []string{"x", ""}, peers: cluster.Peers{Count: 4}, after: []string{"y"}, missing: 1},
		"more than known": {peers: cluster.Peers{Count: 1}, after: []string{"x", "y"}},
	} {
		t.Run(name, func(t *testing.T) {
			var r Roll
			for _, id := range test.before {
				r.Answered(id)
			}
			if r.complete() {
				t.Error("complete before anything is known")
			}
			r.Expect(test.peers)
			for _, id := range test.after {
				r.Answered(id)
			}
			n, ids := r.Missing()
			if n != test.missing || r.complete() != (test.missing == 0) || len(ids) != len(test.ids) {
				t.Errorf("missing %d %q", n, ids)
			}
		})
	}
}
