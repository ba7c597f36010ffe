package forward

import (
	"testing"

	"go.uber.org/goleak"
)

// TestMain fails the run when a goroutine is left. Those that packages start when they are loaded do not count.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent(),
		goleak.IgnoreTopFunction("github.com/panjf2000/ants/v2.(*goWorker).run.func1")) // gnet keeps its pool a while
}
