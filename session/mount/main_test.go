package mount

import (
	"testing"

	"go.uber.org/goleak"
)

// TestMain fails the run when a goroutine is left. Those that packages start when they are loaded do not count.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) }
