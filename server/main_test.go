package server_test

import (
	"log/slog"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain fails the run when a goroutine is left: of a server that was closed, or of a client that went. Those that
// packages start when they are loaded do not count.
//
// Servers without a Logger log nothing here, because many tests let handlers fail.
func TestMain(m *testing.M) {
	if os.Getenv(newcomerEnv) != "" {
		newcomer()
		return
	}
	slog.SetDefault(slog.New(slog.DiscardHandler))
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent(),
		goleak.IgnoreTopFunction("github.com/panjf2000/ants/v2.(*goWorker).run.func1")) // gnet keeps its pool a while
}
