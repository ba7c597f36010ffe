package node

import (
	"testing"

	"github.com/seed58c87869/siren/poller/memory"
)

// The control group limits the heap unless the environment says something, the runtime has a limit, or the machine has
// less memory.
func TestHeapLimit(t *testing.T) {
	for _, c := range []struct {
		limits memory.Limits
		env    string
		want   int64
	}{
		{limits: memory.Limits{Group: 1000, Machine: 2000}, want: 900},
		{limits: memory.Limits{Group: 1000}, want: 900},
		{limits: memory.Limits{Machine: 2000}},
		{limits: memory.Limits{Group: 3000, Machine: 2000}},
		{limits: memory.Limits{Group: 1000, Runtime: 500, Machine: 2000}, env: "500"},
		{limits: memory.Limits{Group: 1000, Machine: 2000}, env: "off"},
	} {
		if got := heapLimit(c.limits, c.env); got != c.want {
			t.Errorf("%+v, GOMEMLIMIT=%s: %d, want %d", c.limits, c.env, got, c.want)
		}
	}
}
